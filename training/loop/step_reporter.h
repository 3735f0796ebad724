// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/events/training_event.h"

namespace meanflow::training {

/// Gathers what happens between two reporting steps of a stage and words it as StepCompleted events. Losses are means
/// over the window, the gradient norm its maximum (an explosion between two reports must show). Speed and ETA come from
/// an average over recent windows and leave pauses out.
class StepReporter {
 public:
  StepReporter(std::string stage, std::int64_t first_step, std::int64_t total_steps, std::int64_t batch_size,
               std::int64_t log_every);

  /// The step began (start it again after a pause); else it began when the one before was done.
  void begin();
  /// One step is done. `scalar_names` and `values` as the objective gave them; the norm is the one before clipping.
  void add(std::span<const std::string> scalar_names, std::span<const double> values, double grad_norm,
           bool is_clipped);
  /// `seconds` of the step under way went into `part`: reported as the scalar "time/PART", seconds a step.
  void addTime(std::string_view part, double seconds);
  /// True when the window ends at `step` (a multiple of log_every, the first step or the last).
  bool isDue(std::int64_t step) const;
  bool hasSteps() const { return num_steps_ > 0; }  ///< Since the last report; not when all were skipped.
  base::StepCompleted report(std::int64_t step, double lr);

  double secondsPerStep() const { return seconds_per_step_; }
  double activeSeconds() const { return active_seconds_; }
  void setTotalSteps(std::int64_t total_steps) { total_steps_ = total_steps; }
  void setLogEvery(std::int64_t log_every) { log_every_ = log_every; }

 private:
  std::string stage_;
  std::int64_t first_step_, total_steps_, batch_size_, log_every_;
  std::vector<std::string> names_;
  std::vector<double> sums_;
  std::vector<std::pair<std::string, double>> times_;
  std::int64_t num_steps_ = 0, num_clipped_ = 0;
  double max_grad_norm_ = 0;
  double window_seconds_ = 0, active_seconds_ = 0, seconds_per_step_ = 0;
  std::chrono::steady_clock::time_point began_;
};

}  // namespace meanflow::training
