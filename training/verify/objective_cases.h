// SPDX-License-Identifier: Apache-2.0
//
// Cases about the objectives: flow matching, consistency mid-training, MeanFlow distillation and training.
#pragma once
#include "training/verify/case_report.h"

namespace meanflow::training {

void runFlowMatchingLoss(const CaseFolder& folder, CaseChecker& checker);
void runConsistencyMidTraining(const CaseFolder& folder, CaseChecker& checker);
void runMeanFlowLoss(const CaseFolder& folder, CaseChecker& checker);  ///< mean_flow_cases.cpp

}  // namespace meanflow::training
