// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <vector>

#include "training/run/run_context.h"
#include "training/stages/stage_task.h"
#include "training/workers/worker.h"

namespace meanflow::training {

/// Trains one stage to its end on this rank: resumes from the newest readable checkpoint, then step by step. Returns
/// when the stage is finished. Throws RunInterrupted when a command ended the run, Diverged on a non-finite loss or
/// gradient (the weights are then those of the step before). All ranks call it together; `config` is this rank's own
/// copy and follows changed settings.
void runStage(StageTask& task, base::RunConfig& config, const Worker& worker, RunContext& run);

/// What a few steps of a stage took.
struct DryRun {
  double begin_seconds = 0;          ///< StageTask::begin.
  std::vector<double> step_seconds;  ///< Of every step, in order.
  std::int64_t num_parameters = 0;   ///< Trained ones.
  std::int64_t checkpoint_bytes = 0;
};

/// The first `num_steps` steps of a stage, as runStage does them, without events, checkpoints or an end. `done(k)` is
/// called on the leader after step k (from 0); when the first one takes longer than `slow_seconds`, only one more is
/// done. Throws as runStage does, RunInterrupted where a command to stop has come.
DryRun dryRunStage(StageTask& task, base::RunConfig& config, const Worker& worker, RunContext& run, int num_steps,
                   double slow_seconds, const std::function<void(int)>& done);

}  // namespace meanflow::training
