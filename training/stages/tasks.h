// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "training/stages/stage_task.h"
#include "training/stages/workspace.h"

namespace meanflow::training {

std::unique_ptr<StageTask> makeEncoderTask(Workspace& workspace);
std::unique_ptr<StageTask> makeDecoderTask(Workspace& workspace);
std::unique_ptr<StageTask> makeTeacherTask(Workspace& workspace);
std::unique_ptr<StageTask> makeCmtTask(Workspace& workspace);
/// More CMT from where CMT ended, with new trajectories, for as many steps as cost what mean_flow has cost: the control
/// that shows whether distillation earns its place.
std::unique_ptr<StageTask> makeControlTask(Workspace& workspace);
std::unique_ptr<StageTask> makeMeanFlowTask(Workspace& workspace);

/// Seed of a stage's random streams: stages of one run do not share draws.
std::uint64_t stageSeed(std::uint64_t run_seed, const std::string& stage);

}  // namespace meanflow::training
