// SPDX-License-Identifier: Apache-2.0
//
// Cases about files: checkpoints.
#pragma once
#include "training/verify/case_report.h"

namespace meanflow::training {

/// Opens every .pt file of the case and compares its tensors, dtypes included, with expected.safetensors: `ema.*` with
/// the average beside a model, `opt.*` with the optimiser's moments of the first parameter, `stat.*` with latent
/// statistics, `sd.*` with all other weights. Exact.
void runCheckpoints(const CaseFolder& folder, CaseChecker& checker);

}  // namespace meanflow::training
