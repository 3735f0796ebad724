// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <limits>
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

struct DryRunOptions {
  int num_steps = 4;
  double slow_seconds = std::numeric_limits<double>::infinity();  ///< A first step beyond it: only one more is done.
  std::function<void(int)> done = {};  ///< Called on the leader after step k (from 0). May be empty.
  /// Called on every rank before step k with its own configuration, which it may change as a live setting is changed,
  /// in the same way on all of them. May be empty.
  std::function<void(int, base::RunConfig&)> prepare = {};
};

/// What a few steps of a stage took.
struct DryRun {
  double begin_seconds = 0;              ///< StageTask::begin.
  std::vector<double> step_seconds;      ///< Of every step, in order; on a GPU with its work done.
  std::vector<double> step_cpu_seconds;  ///< CPU time of this rank's thread.
  std::int64_t num_parameters = 0;       ///< Trained ones.
  std::int64_t checkpoint_bytes = 0;
};

/// The first steps of a stage, as runStage does them, without reports, checkpoints or an end. Throws as runStage does,
/// RunInterrupted where a command to stop has come.
DryRun dryRunStage(StageTask& task, base::RunConfig& config, const Worker& worker, RunContext& run,
                   const DryRunOptions& options);

}  // namespace meanflow::training
