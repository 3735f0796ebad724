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

/// The curves of a store as a chart wants them: every raw series with its smoothed companion, by columns.
class CurveData {
 public:
  explicit CurveData(const base::MetricsStore& store) : store_(store) {}

  void setSmoothing(double weight);  ///< In [0, 1); 0 = none.
  /// Whether a series is shown smoothed now. A schedule such as the learning rate never is: it is set, not measured.
  bool isSmoothed(const std::string& name) const { return weight_ > 0 && name != "lr"; }
  /// At most about `max_points` columns for the steps in [from, to], with one more on each side so that lines run off
  /// the edge. Empty for an unknown series.
  std::vector<CurvePoint> points(const std::string& stage, const std::string& name, double from, double to,
                                 std::size_t max_points);
  /// The raw point nearest to a step: `low` and `high` are its value.
  std::optional<CurvePoint> nearest(const std::string& stage, const std::string& name, double step);
  /// Calls `each(step, value)` for the raw points with steps in [from, to].
  void eachRaw(const std::string& stage, const std::string& name, double from, double to,
               const std::function<void(std::int64_t, double)>& each) const;
  /// The last step of a stage with a point; 0 for none.
  double lastStep(const std::string& stage) const;
  double firstStep(const std::string& stage) const;  ///< Likewise of the first point.

 private:
  const base::MetricSeries& smoothed(const std::string& stage, const std::string& name, const base::MetricSeries& raw);

  const base::MetricsStore& store_;
  double weight_ = 0;
  std::map<base::MetricsStore::Key, base::SmoothedSeries> smoothed_;
};

}  // namespace meanflow::ui
