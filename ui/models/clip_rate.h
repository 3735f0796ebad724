// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/metrics/metrics_store.h"

namespace meanflow::ui {

/// How large a share of a stage's steps had their gradient clipped, from the scalar clipped_share (a mean over the
/// steps of each report) or, where a run has none, from the flag is_clipped of its reports.
class ClipRate {
 public:
  explicit ClipRate(const base::MetricsStore& store) : store_(store) {}

  /// Takes in what is new of a stage. False when the stage reports nothing of it.
  bool update(const std::string& stage);
  /// Share of all steps so far, weighted by the steps of each report; NaN without any.
  double overall(const std::string& stage) const;
  /// Smoothed share around a step, in at most about `max_points` columns.
  std::vector<base::SeriesBucket> points(const std::string& stage, double from, double to,
                                         std::size_t max_points) const;
  /// The smoothed share at a step.
  std::optional<double> at(const std::string& stage, double step) const;

 private:
  struct Stage {
    base::SmoothedSeries smoothed{0.9};
    std::uint64_t generation = 0;
    std::size_t num_taken = 0;
    double clipped_steps = 0, steps = 0;
  };
  const base::MetricSeries* seriesOf(const std::string& stage) const;

  const base::MetricsStore& store_;
  std::map<std::string, Stage> stages_;
};

}  // namespace meanflow::ui
