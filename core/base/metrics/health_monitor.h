// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "core/base/config/diagnostics_config.h"
#include "core/base/metrics/robust_window.h"

namespace meanflow::base {

/// A figure outside its normal range; kind and figure as AlarmRaised.
struct HealthFinding {
  std::string kind, figure;
  double value = 0, typical = 0, threshold = 0;
  bool isBad() const { return kind == "non_finite" || kind == "explosion"; }  ///< The update must not be made.
};

/// Judges the loss and gradient norm of every step, before its update, and other figures now and then, each against
/// its own recent past (median and MAD, so the measure adapts as training settles). Knows no tensor; the same numbers
/// give the same verdict on every rank. One monitor a stage.
class HealthMonitor {
 public:
  explicit HealthMonitor(const DiagnosticsConfig& config) : config_(config) {}

  /// The most serious finding of a step: not finite, beyond explosion_factor times the median, or a spike. A healthy
  /// step and a spike become part of the past, a bad one does not. Where spikes are many, as in a stage whose losses
  /// have a heavy tail, one is news only if it is half as high again as those of late.
  std::optional<HealthFinding> judgeStep(std::int64_t step, double loss, double grad_norm);

  /// Beyond these the next step is an explosion; infinite where there is none to speak of yet.
  struct Bounds {
    double loss, grad_norm;
  };
  Bounds bounds() const;

  /// A figure that is looked at now and then, such as a block's update norm: `kind` when its score is too high. Warned
  /// of once in kQuietSteps.
  std::optional<HealthFinding> judgeFigure(std::int64_t step, const std::string& kind, const std::string& figure,
                                           double value);

 private:
  static constexpr std::int64_t kQuietSteps = 20;  ///< Between two warnings of the same figure.
  static constexpr double kNews = 1.5;             ///< Times the highest score of late that a warning takes.
  static constexpr double kHalfLife = 500;         ///< Steps in which that score is half forgotten.
  struct Past {
    RobustWindow values;
    std::int64_t last_warning = -kQuietSteps;
    double highest = 0;  ///< Score, as of `highest_step`.
    std::int64_t highest_step = 0;
  };
  Past& past(const std::string& figure);
  double explosionBound(const std::string& figure) const;
  std::optional<HealthFinding> spike(Past& past, std::int64_t step, const std::string& kind, const std::string& figure,
                                     double value);

  const DiagnosticsConfig& config_;
  std::map<std::string, Past> pasts_;
};

}  // namespace meanflow::base
