// SPDX-License-Identifier: Apache-2.0
//
// Cases about counts: multiply-accumulates and parameters.
#pragma once
#include "training/verify/case_report.h"

namespace meanflow::training {

/// Each tensor [3] = [linear and convolution MAC, attention MAC, parameters] of the network that its key in `table`
/// names, one image and one call, from core/cost. Sizes come from the name; a row's `config` object overrides them
/// where it is given.
void runNetworkCounts(const CaseFolder& folder, CaseChecker& checker);

}  // namespace meanflow::training
