// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/metrics/metrics_store.h"
#include "ui/models/smoothed_series.h"

namespace meanflow::ui {

/// One column of a drawn curve: the smoothed value, and the extremes of the points it stands for.
struct CurvePoint {
  double step = 0;
  double value = 0, low = 0, high = 0;
};

/// The smoothed companion of every series of a store, grown as the series grow and begun anew when one is cut back by a
/// resume.
class CurveData {
 public:
  explicit CurveData(const base::MetricsStore& store) : store_(store) {}

  void setSmoothing(double smoothing);
  /// At most about `max_points` columns for the steps in [from, to], with one more on each side so that lines run off
  /// the edge. Empty for an unknown series.
  std::vector<CurvePoint> points(const std::string& stage, const std::string& name, double from, double to, int max_points);
  /// The raw point nearest to a step.
  std::optional<CurvePoint> nearest(const std::string& stage, const std::string& name, double step);
  /// Calls `each(step, value)` for the raw points with steps in [from, to].
  void eachRaw(const std::string& stage, const std::string& name, double from, double to,
               const std::function<void(std::int64_t, double)>& each) const;
  /// The last step of a stage with a point in any series; 0 for none.
  std::int64_t lastStep(const std::string& stage) const;

 private:
  const SmoothedSeries& smoothed(const std::string& stage, const std::string& name, const base::MetricSeries& series);

  const base::MetricsStore& store_;
  double smoothing_ = 0;
  std::map<std::pair<std::string, std::string>, SmoothedSeries> smoothed_;
};

}  // namespace meanflow::ui
