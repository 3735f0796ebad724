// SPDX-License-Identifier: Apache-2.0
//
// Cases about latents: statistics.
#pragma once
#include "training/verify/case_report.h"

namespace meanflow::training {

void runLatentStatistics(const CaseFolder& folder, CaseChecker& checker);

}  // namespace meanflow::training
