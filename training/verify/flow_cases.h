// SPDX-License-Identifier: Apache-2.0
//
// Cases about times and samplers.
#pragma once
#include "core/base/config/run_config.h"
#include "training/verify/case_report.h"

namespace meanflow::training {

/// "uniform", "logit-normal_0_1" or, in tensor names, "logitmnormal_m0p4_1p2" (m for minus, p for the point).
base::TimeConfig timeConfigFromName(const std::string& name, double shift);

void runTimeSamplers(const CaseFolder& folder, CaseChecker& checker);
void runMeanFlowSamplers(const CaseFolder& folder, CaseChecker& checker);
void runOdeSamplers(const CaseFolder& folder, CaseChecker& checker);

}  // namespace meanflow::training
