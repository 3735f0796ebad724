// SPDX-License-Identifier: Apache-2.0
#include "training/loop/step_reporter.h"

#include <algorithm>
#include <cmath>

namespace meanflow::training {

StepReporter::StepReporter(std::string stage, std::int64_t first_step, std::int64_t total_steps,
                           std::int64_t batch_size, std::int64_t log_every)
    : stage_(std::move(stage)),
      first_step_(first_step),
      total_steps_(total_steps),
      batch_size_(batch_size),
      log_every_(std::max<std::int64_t>(1, log_every)),
      began_(std::chrono::steady_clock::now()) {}

void StepReporter::begin() { began_ = std::chrono::steady_clock::now(); }

void StepReporter::add(std::span<const std::string> scalar_names, std::span<const double> values, double grad_norm,
                       bool is_clipped) {
  if (names_.empty()) {
    names_.assign(scalar_names.begin(), scalar_names.end());
    sums_.assign(names_.size(), 0);
  }
  for (std::size_t i = 0; i < sums_.size() && i < values.size(); ++i) sums_[i] += values[i];
  ++num_steps_;
  num_clipped_ += is_clipped ? 1 : 0;
  // std::max would drop a NaN
  if (num_steps_ == 1 || grad_norm > max_grad_norm_ || std::isnan(grad_norm)) max_grad_norm_ = grad_norm;
  const auto now = std::chrono::steady_clock::now();
  const double seconds = std::chrono::duration<double>(now - began_).count();
  began_ = now;
  window_seconds_ += seconds;
  active_seconds_ += seconds;
}

void StepReporter::addTime(std::string_view part, double seconds) {
  const auto at = std::find_if(times_.begin(), times_.end(), [&](const auto& time) { return time.first == part; });
  if (at == times_.end())
    times_.emplace_back(part, seconds);
  else
    at->second += seconds;
}

bool StepReporter::isDue(std::int64_t step) const {
  return step % log_every_ == 0 || step == total_steps_ || step == first_step_ + 1;
}

base::StepCompleted StepReporter::report(std::int64_t step, double lr) {
  const double count = static_cast<double>(std::max<std::int64_t>(1, num_steps_));
  const double now = window_seconds_ / count;
  seconds_per_step_ = seconds_per_step_ == 0 ? now : 0.7 * seconds_per_step_ + 0.3 * now;

  base::StepCompleted event;
  event.stage = stage_;
  event.step = step;
  event.images_seen = step * batch_size_;
  for (std::size_t i = 0; i < names_.size(); ++i) event.scalars.push_back({names_[i], sums_[i] / count});
  event.scalars.push_back({"grad_norm", max_grad_norm_});
  event.scalars.push_back({"lr", lr});
  event.scalars.push_back({"clipped_share", static_cast<double>(num_clipped_) / count});
  event.seconds_per_step = seconds_per_step_;
  event.images_per_second = seconds_per_step_ > 0 ? static_cast<double>(batch_size_) / seconds_per_step_ : 0;
  event.scalars.push_back({"images_per_second", event.images_per_second});
  for (auto& [part, seconds] : times_) {
    event.scalars.push_back({"time/" + part, seconds / count});
    seconds = 0;
  }
  event.eta_seconds = static_cast<double>(total_steps_ - step) * seconds_per_step_;
  event.is_clipped = num_clipped_ > 0;

  std::fill(sums_.begin(), sums_.end(), 0);
  num_steps_ = num_clipped_ = 0;
  max_grad_norm_ = window_seconds_ = 0;
  return event;
}

}  // namespace meanflow::training
