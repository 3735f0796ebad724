// SPDX-License-Identifier: Apache-2.0
//
// Cases about single evaluations of the objectives.
#pragma once
#include "training/verify/case_report.h"

namespace meanflow::training {

void runFlowMatchingLoss(const CaseFolder& folder, CaseChecker& checker);
void runConsistencyMidTraining(const CaseFolder& folder, CaseChecker& checker);
/// MeanFlow distillation and training, told apart by whether there is a teacher.
void runMeanFlowLoss(const CaseFolder& folder, CaseChecker& checker);

}  // namespace meanflow::training
