// SPDX-License-Identifier: Apache-2.0
#include "training/optim/lr_schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <stdexcept>

namespace meanflow::training {

double LrSchedule::at(std::int64_t k) const {
  if (k < warmup_steps)
    return warmup_from_zero ? base_lr * static_cast<double>(k + 1) / static_cast<double>(warmup_steps) : base_lr;
  if (decay == LrDecay::kConstant) return base_lr;
  if (k >= decay_end_steps) return final_lr;
  const double progress = static_cast<double>(k - warmup_steps) / static_cast<double>(decay_end_steps - warmup_steps);
  const double remaining = decay == LrDecay::kLinear ? 1 - progress : 0.5 * (1 + std::cos(std::numbers::pi * progress));
  return final_lr + (base_lr - final_lr) * remaining;
}

LrSchedule lrSchedule(const base::TrainingConfig& config) {
  LrSchedule schedule;
  if (config.schedule == "linear")
    schedule.decay = LrDecay::kLinear;
  else if (config.schedule == "cosine")
    schedule.decay = LrDecay::kCosine;
  else if (config.schedule != "constant")
    throw std::invalid_argument("unknown learning-rate schedule '" + config.schedule +
                                "'; use constant, linear or cosine");
  schedule.base_lr = config.lr;
  schedule.final_lr = config.final_lr;
  schedule.warmup_steps = config.warmup_steps;
  schedule.decay_end_steps = config.decay_end_step > 0 ? config.decay_end_step : config.steps - 1;
  schedule.warmup_from_zero = config.warmup_from_zero;
  return schedule;
}

LrSchedule officialSchedule(const OfficialScheduleKeys& keys, std::int64_t steps_per_epoch) {
  const auto inSteps = [steps_per_epoch](double epochs) {
    return static_cast<std::int64_t>(epochs * static_cast<double>(steps_per_epoch));
  };
  LrSchedule schedule;
  schedule.decay = keys.type.value_or("linear") == "cosine" ? LrDecay::kCosine : LrDecay::kLinear;
  schedule.warmup_from_zero = keys.warmup_from_zero;
  schedule.warmup_steps =
      keys.warmup_steps.value_or(inSteps(keys.warmup_epochs.value_or(keys.training_decay_start_epoch.value_or(0))));
  schedule.decay_end_steps =
      keys.decay_end_steps.value_or(inSteps(keys.decay_end_epoch.value_or(keys.training_decay_end_epoch.value_or(0))));
  if (schedule.decay_end_steps <= schedule.warmup_steps) schedule.decay = LrDecay::kConstant;
  // The reference's schedule is a factor on the optimiser's rate, relative to its own base.
  const double optimizer_lr = keys.optimizer_lr.value_or(keys.training_base_lr.value_or(2e-4));
  const double base = keys.base_lr.value_or(keys.training_base_lr.value_or(optimizer_lr));
  const double final = keys.final_lr.value_or(keys.training_final_lr.value_or(base));
  schedule.base_lr = optimizer_lr;
  schedule.final_lr = base > 0 ? optimizer_lr * (final / base) : optimizer_lr;
  return schedule;
}

}  // namespace meanflow::training
