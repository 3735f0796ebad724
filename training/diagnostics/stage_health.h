// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>

#include "core/base/config/run_config.h"
#include "core/base/metrics/health_monitor.h"
#include "core/diagnostics/time_figures.h"
#include "core/nn/block_scope.h"
#include "training/diagnostics/block_meter.h"
#include "training/diagnostics/fault_finder.h"
#include "training/diagnostics/flight_recorder.h"
#include "training/loop/checkpoint_store.h"
#include "training/run/run_context.h"
#include "training/stages/stage_task.h"

namespace meanflow::training {

/// What becomes of a step after its gradients were judged, the same on every rank.
enum class StepVerdict { kUpdate, kSkip, kRollBack };

/// A step as all ranks know it after the reduction.
struct JudgedStep {
  std::int64_t step = 0;  ///< 1 = the first.
  double lr = 0;
  double objective = 0;  ///< What was differentiated.
  double loss = 0;       ///< What people see; the objective where there is nothing else.
  double grad_norm = 0;  ///< Before clipping.
};

/// The health of one stage while it trains: instruments by block, alarms before the weights change, the flight
/// recorder, the second look at a bad step and the policy of the run (diagnostics.on_divergence). One object a rank;
/// all ranks call it in step.
class StageHealth {
 public:
  StageHealth(StageTask& task, const base::RunConfig& config, TrainingState state, const CheckpointStore& store,
              const Worker& worker, RunContext& run);

  /// Whether step `step` is looked at more closely, which reads from the device before and after its update.
  bool isLookedAt(std::int64_t step) const;
  /// Before the forward pass of a step that is looked at; before observe() of any.
  void beginStep(std::int64_t step);
  /// What this rank's part of the batch gave; nothing is waited for.
  void observe(const core::LossTerms& terms);
  /// Scalar bool on the device: whether a step with these figures (float64 scalars, as JudgedStep) must not change the
  /// weights. judge() comes to the same when it gets to read them, before the next step is asked about.
  torch::Tensor isBad(const torch::Tensor& objective, const torch::Tensor& loss, const torch::Tensor& grad_norm) const;
  /// After the reduction, on weights that the step has not changed if it is bad. Throws Diverged where the run is to
  /// stop. `grad_norms`: of every trained parameter, before clipping.
  StepVerdict judge(const JudgedStep& step, const torch::Tensor& grad_norms);
  /// Around the update of a step that goes ahead.
  void beforeUpdate();
  void afterUpdate();

  /// Warns where delta_t in use sits in its rounding half.
  void noteDerivative(const base::DerivativeHealthReady& health);

  std::int64_t numSkipped() const { return num_skipped_; }
  bool passesOver(std::int64_t step) const;  ///< By configuration, or as a bad step after a roll-back.
  std::set<std::int64_t> passedOver(std::span<const std::int64_t> configured) const;  ///< Both together.
  void rolledBack();  ///< The state is that of an earlier checkpoint again.

 private:
  const base::DiagnosticsConfig& settings() const { return config_.diagnostics; }
  bool isDue(std::int64_t every) const { return every > 0 && (step_ % every == 0 || is_first_); }
  std::string firstNonFiniteGradient(const torch::Tensor& grad_norms) const;
  void raise(base::AlarmRaised alarm);
  base::AlarmRaised alarmFor(const base::HealthFinding& finding, const std::string& action) const;
  std::string policyAction() const;
  /// Publishes what it finds; all ranks get it.
  FaultFinding lookAgain(const base::AlarmRaised& alarm, const JudgedStep& step);
  double repeatedObjective(std::int64_t step);

  StageTask& task_;
  const base::RunConfig& config_;
  TrainingState state_;
  const CheckpointStore& store_;
  const Worker& worker_;
  RunContext& run_;
  BlockGroups groups_;
  BlockMeter meter_;
  base::HealthMonitor monitor_;
  FlightRecorder recorder_;
  std::optional<core::ActivationProbe> probe_;
  core::TimeFigures time_figures_;
  std::int64_t step_ = 0;
  bool is_first_ = false;  ///< Of this process: what was restored is looked at.
  FlightRecorder::Step current_;
  torch::Tensor grad_norms_;
  std::int64_t num_skipped_ = 0, num_skipped_in_a_row_ = 0, num_rollbacks_ = 0;
  std::int64_t last_look_ = -1'000'000, last_alarm_ = 0;
  bool is_holding_ = false;  ///< A checkpoint, since an alarm of this process or of one before it. Leader only.
  std::set<std::int64_t> passed_over_;
};

}  // namespace meanflow::training
