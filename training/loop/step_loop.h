// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "training/run/run_context.h"
#include "training/stages/stage_task.h"
#include "training/workers/worker.h"

namespace meanflow::training {

/// Trains one stage to its end on this rank: resumes from the newest readable checkpoint, then step by step. Returns
/// when the stage is finished. Throws RunInterrupted when a command ended the run, Diverged on a non-finite loss or
/// gradient (the weights are then those of the step before). All ranks call it together; `config` is this rank's own
/// copy and follows changed settings.
void runStage(StageTask& task, base::RunConfig& config, const Worker& worker, RunContext& run);

}  // namespace meanflow::training
