// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>

#include "training/optim/ema.h"
#include "training/run/run_context.h"
#include "training/stages/stage_task.h"
#include "training/workers/worker.h"

namespace meanflow::training {

/// Decides, on the leading worker, when a live picture is due and still within the watching budget, and hands a
/// snapshot of the averaged weights to the sampling worker.
class LiveWatch {
 public:
  LiveWatch(const StageTask& task, RunContext& run, const Worker& worker);
  /// `active_seconds`: training time of this stage so far, in this process.
  void afterStep(std::int64_t step, double active_seconds, const Ema& ema);

 private:
  const StageTask& task_;
  RunContext& run_;
  bool is_leader_;
};

}  // namespace meanflow::training
