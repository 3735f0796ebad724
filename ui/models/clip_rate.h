// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/base/metrics/metrics_store.h"

namespace meanflow::ui {

/// How large a share of a stage's steps had their gradient clipped, from the scalar clipped_share (a mean over the
/// steps of each report) or, where a run has none, from the flag is_clipped of its reports.
class ClipRate {
 public:
  explicit ClipRate(const base::MetricsStore& store) : store_(store) {}

  /// Whether the stage reports anything of it.
  bool isReported(const std::string& stage) const;
  /// Takes in up to `max_points` of what is new of a stage and returns whether that is all: a long record is gone
  /// through in parts.
  bool update(const std::string& stage, std::size_t max_points = static_cast<std::size_t>(-1));
  /// Share of all steps so far, weighted by the steps of each report; NaN without any.
  double overall(const std::string& stage) const;
  /// Smoothed share (`y_last`) around a step, in at most about `max_points` columns.
  std::vector<base::SeriesBucket> points(const std::string& stage, double from, double to,
                                         std::size_t max_points) const;

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
