// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "core/base/config/run_config.h"

namespace meanflow::training {

enum class LrDecay { kConstant, kLinear, kCosine };

/// Learning rate by optimizer step: a warm-up, then linear or cosine decay, then constant.
struct LrSchedule {
  LrDecay decay = LrDecay::kConstant;
  double base_lr = 1e-4;
  double final_lr = 1e-5;
  std::int64_t warmup_steps = 0;
  std::int64_t decay_end_steps = 0;
  bool warmup_from_zero = true;  ///< false: the warm-up is a plateau at base_lr, as the reference's default.

  /// Learning rate of 0-based step k.
  double at(std::int64_t k) const;
};

/// The schedule of a stage: warm-up from zero or a plateau, final_lr reached at decay_end_step or the stage's last
/// step.
LrSchedule lrSchedule(const base::TrainingConfig& config);

/// The keys the reference trainers read for their schedule (sony/mf-rae and bytetriper/RAE src/utils/optim_utils.py),
/// from `training` and its `scheduler` and `optimizer` sections.
struct OfficialScheduleKeys {
  std::optional<std::string> type;                                             ///< scheduler.type
  std::optional<double> base_lr, final_lr;                                     ///< scheduler.*
  std::optional<std::int64_t> warmup_steps, decay_end_steps;                   ///< scheduler.*
  std::optional<double> warmup_epochs, decay_end_epoch;                        ///< scheduler.*
  bool warmup_from_zero = false;                                               ///< scheduler.*
  std::optional<double> training_base_lr, training_final_lr;                   ///< training.*
  std::optional<double> training_decay_start_epoch, training_decay_end_epoch;  ///< training.*
  std::optional<double> optimizer_lr;                                          ///< optimizer.lr
};
/// Resolves as the reference does: epochs * steps_per_epoch truncated, training.* as fall-backs, type linear when
/// absent. The schedule multiplies the optimiser's rate (optimizer.lr, training.base_lr or 2e-4).
LrSchedule officialSchedule(const OfficialScheduleKeys& keys, std::int64_t steps_per_epoch);

}  // namespace meanflow::training
