// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string_view>

#include "core/base/result.h"
#include "training/optim/named_tensors.h"

namespace meanflow::training {

/// Copies tensors of `from` into the same-named tensors of `to`, bit for bit. Every tensor of `to` must be there with
/// the same shape, else nothing is changed and the error names the first that is not; `what` begins the message.
base::Result<void> copyNamed(const NamedTensors& from, const NamedTensors& to, std::string_view what);

}  // namespace meanflow::training
