// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <array>
#include <memory>
#include <vector>

#include "core/base/config/run_config.h"
#include "core/base/events/training_event.h"
#include "core/diagnostics/jump_map.h"
#include "training/diagnostics/probe_set.h"
#include "training/stages/stage_task.h"
#include "training/workers/worker.h"

namespace meanflow::training {

/// Measures a stage's network between steps, as often as `diagnostics` says: residuals of Proposition 3.1 and the
/// finite difference's error over its step (mean_flow), and the map of jumps (cmt, control, mean_flow). Reads weights
/// and changes nothing: a run's losses are the same with and without it, to the bit.
class StageProbes {
 public:
  /// All three outlive it; `config` is read at every step, so that changed settings hold at once.
  StageProbes(StageTask& task, const base::RunConfig& config, const Worker& worker);

  /// Whether anything is measured after optimizer step `step`; the same on every rank.
  bool isAnyDue(std::int64_t step) const;

  /// What is due after optimizer step `step` (1 = the first), measured and ready to be published. Every rank calls it
  /// after every step: the leader measures, the others wait for it (a JVP switches attention over for the whole
  /// process, which a training step beside it would feel) and return nothing. Does not throw for a measurement that
  /// fails: that is one LogMessage, and this measurement is not tried again in this stage.
  std::vector<base::TrainingEvent> due(std::int64_t step);

  /// Wall time that measuring has taken so far; on a CPU also its CPU time.
  double spentSeconds() const { return spent_seconds_; }

 private:
  enum Kind : std::size_t { kResiduals, kDerivative, kJumpMap, kNumKinds };
  bool isDue(Kind kind, std::int64_t step) const;
  void measure(Kind kind, std::int64_t step, std::vector<base::TrainingEvent>& events);
  void measureResiduals(std::int64_t step, std::vector<base::TrainingEvent>& events) const;
  void measureDerivative(std::int64_t step, std::vector<base::TrainingEvent>& events) const;
  void measureJumps(std::int64_t step, std::vector<base::TrainingEvent>& events);

  StageTask& task_;
  const base::RunConfig& config_;
  const Worker& worker_;
  std::shared_ptr<const ProbeSet> set_;  ///< Made when something is due for the first time.
  bool is_set_made_ = false;
  std::unique_ptr<core::JumpMap> jumps_;  ///< Holds the teacher's fine paths.
  std::array<bool, kNumKinds> has_failed_{};
  double spent_seconds_ = 0;
};

}  // namespace meanflow::training
