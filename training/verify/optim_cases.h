// SPDX-License-Identifier: Apache-2.0
//
// Cases about optimisation: the optimiser alone, learning-rate schedules, and short replays of the trainers.
#pragma once
#include "training/verify/case_report.h"

namespace meanflow::training {

void runLrSchedules(const CaseFolder& folder, CaseChecker& checker);
void runOptimizer(const CaseFolder& folder, CaseChecker& checker);
void runTraining(const CaseFolder& folder, CaseChecker& checker);

}  // namespace meanflow::training
