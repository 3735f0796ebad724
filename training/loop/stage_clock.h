// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <chrono>
#include <string_view>

#include "core/device/device.h"
#include "training/loop/checkpoint_store.h"
#include "training/loop/step_reporter.h"

namespace meanflow::training {

/// Tells the reporter what a step's time goes into. On a GPU the host's clock would only show where it happened to
/// wait, so nothing is told there (null).
class Laps {
 public:
  explicit Laps(StepReporter* reporter) : reporter_(reporter) {}
  void end(std::string_view part) {
    if (!reporter_) return;
    const auto now = std::chrono::steady_clock::now();
    reporter_->addTime(part, std::chrono::duration<double>(now - last_).count());
    last_ = now;
  }

 private:
  StepReporter* reporter_;
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

/// Adds wall and CPU time spent training to the stage's totals.
class StageClock {
 public:
  void start(const StageProgress& progress) {
    is_running_ = true;
    wall_before_ = progress.wall_seconds;
    cpu_before_ = progress.cpu_seconds;
    wall_start_ = std::chrono::steady_clock::now();
    cpu_start_ = core::processCpuSeconds();
  }
  void stop(StageProgress& progress) {
    update(progress);
    is_running_ = false;
  }
  void update(StageProgress& progress) const {
    if (!is_running_) return;
    progress.wall_seconds =
        wall_before_ + std::chrono::duration<double>(std::chrono::steady_clock::now() - wall_start_).count();
    progress.cpu_seconds = cpu_before_ + core::processCpuSeconds() - cpu_start_;
  }

 private:
  bool is_running_ = false;
  double wall_before_ = 0, cpu_before_ = 0, cpu_start_ = 0;
  std::chrono::steady_clock::time_point wall_start_;
};

}  // namespace meanflow::training
