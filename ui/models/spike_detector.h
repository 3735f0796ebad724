// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "core/base/metrics/metric_series.h"

namespace meanflow::ui {

/// Finds points of a series that lie far above what came before them. The score of a point is its robust z,
/// (y - median) / (1.4826 MAD), median and MAD (median absolute deviation) over the window of finite points before it:
/// for normal noise the ordinary z, and hardly moved by earlier spikes. A deviation below `relative_floor` of the
/// median counts as that much, so that a curve without noise has no spikes of its last digits. Only upwards: a loss
/// that falls is what training is for. Neighbouring points that stand out are one spike, at its highest score.
class SpikeDetector {
 public:
  struct Options {
    std::size_t window = 101;
    std::size_t min_points = 20;  ///< Before the first point that is judged.
    double threshold = 6;
    double relative_floor = 0.01;
    std::size_t join = 5;  ///< Points between two that stand out and still are one spike.
  };
  struct Spike {
    double x = 0, value = 0, z = 0;
    bool operator==(const Spike&) const = default;
  };

  SpikeDetector() = default;
  explicit SpikeDetector(const Options& options) : options_(options) {}

  /// Takes in up to `max_points` new points of `series`, always the same one; starts again where points were dropped.
  /// Returns how many were taken.
  std::size_t update(const base::MetricSeries& series, std::size_t max_points);
  bool isDone(const base::MetricSeries& series) const {
    return generation_ == series.generation() && num_taken_ == series.size();
  }
  const std::vector<Spike>& spikes() const { return spikes_; }

 private:
  double score(double y) const;
  void remember(double y);

  Options options_;
  std::uint64_t generation_ = 0;
  std::size_t num_taken_ = 0;
  std::deque<double> window_;   ///< In time's order.
  std::vector<double> sorted_;  ///< The same values.
  std::vector<Spike> spikes_;
  std::size_t last_high_ = 0;  ///< Index of the last point that stood out; valid when there are spikes.
};

}  // namespace meanflow::ui
