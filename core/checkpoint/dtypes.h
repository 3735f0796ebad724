// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <torch/torch.h>

#include <optional>
#include <string_view>

namespace meanflow::core {

/// LibTorch's type for a dtype of core/base/formats/stored_tensor.h; nothing for one that LibTorch lacks.
std::optional<torch::ScalarType> scalarTypeOf(std::string_view dtype);

/// The other way; empty for types that files have no name for (quantised ones).
std::string_view dtypeNameOf(torch::ScalarType type);

}  // namespace meanflow::core
