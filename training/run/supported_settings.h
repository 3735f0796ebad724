// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "core/base/config/run_config.h"
#include "core/base/result.h"

namespace meanflow::training {

/// Whether this version's training can do what the configuration says. A configuration may describe more (published
/// encoders and decoders, accumulation, adversarial losses...): it is read, shown and costed, but not trained. The
/// error is one sentence that names the key, its value and what is supported.
base::Result<void> checkSupported(const base::RunConfig& config);

}  // namespace meanflow::training
