// SPDX-License-Identifier: Apache-2.0
//
// Cases about times and samplers.
#pragma once
#include "training/verify/case_report.h"

namespace meanflow::training {

void runTimeSamplers(const CaseFolder& folder, CaseChecker& checker);
void runMeanFlowSamplers(const CaseFolder& folder, CaseChecker& checker);
void runOdeSamplers(const CaseFolder& folder, CaseChecker& checker);

}  // namespace meanflow::training
