// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/metrics/metrics_store.h"

namespace meanflow::ui {

/// One column of a drawn curve: the smoothed value, and the extremes of the raw points it stands for.
struct CurvePoint {
  double step = 0;
  double value = 0, low = 0, high = 0;
};

/// The curves of a store as a chart wants them: every raw series with its smoothed companion, by columns. A long series
/// is smoothed in parts, a part with each call of smoothPart(); until all of it is there the companion that was
/// complete last stays on show.
class CurveData {
 public:
  explicit CurveData(const base::MetricsStore& store) : store_(store) {}

  static constexpr std::size_t kPointsAtOnce = 20'000;  ///< So many new ones are smoothed without being asked.

  void setSmoothing(double weight);  ///< In [0, 1); 0 = none. What was being smoothed with another one is given up.
  /// Whether a series is shown smoothed now. A schedule such as the learning rate never is: it is set, not measured.
  bool isSmoothed(const std::string& name) const { return weight_ > 0 && name != "lr"; }
  /// At most about `max_points` columns for the steps in [from, to], with one more on each side so that lines run off
  /// the edge. Empty for an unknown series.
  std::vector<CurvePoint> points(const std::string& stage, const std::string& name, double from, double to,
                                 std::size_t max_points);
  /// The raw point nearest to a step: `low` and `high` are its value, or the extremes of the points folded into it.
  std::optional<CurvePoint> nearest(const std::string& stage, const std::string& name, double step);
  /// Calls `each(step, value)` for the raw points with steps in [from, to].
  void eachRaw(const std::string& stage, const std::string& name, double from, double to,
               const std::function<void(std::int64_t, double)>& each) const;
  /// Whether every raw point with its step in [from, to] is there by itself, none folded into its neighbours.
  bool hasSinglePoints(const std::string& stage, const std::string& name, double from, double to) const;
  /// The last step of a stage with a point; 0 for none.
  double lastStep(const std::string& stage) const;
  double firstStep(const std::string& stage) const;  ///< Likewise of the first point.

  /// Whether every curve that was asked for is shown with all its points smoothed.
  bool isComplete() const;
  /// Smooths up to `max_points` points more; whether there is a new curve to show now.
  bool smoothPart(std::size_t max_points);

 private:
  struct Companion {
    base::SmoothedSeries shown;
    std::optional<base::SmoothedSeries> coming;  ///< Takes the place of `shown` once it is complete.
  };
  /// What is on show beside a raw series; null before the first.
  const base::SmoothedSeries* smoothed(const std::string& stage, const std::string& name,
                                       const base::MetricSeries& raw);

  const base::MetricsStore& store_;
  double weight_ = 0;
  std::map<base::MetricsStore::Key, Companion> smoothed_;
};

}  // namespace meanflow::ui
