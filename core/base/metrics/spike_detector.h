// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/base/metrics/metric_series.h"
#include "core/base/metrics/robust_window.h"

namespace meanflow::base {

/// Finds points of a series that lie far above what came before them, by their robust z-score over a window of the
/// finite points before them. Neighbouring points that stand out are one spike, at its highest score.
class SpikeDetector {
 public:
  struct Options {
    RobustWindow::Options window;
    double threshold = 6;
    std::size_t join = 5;  ///< Points between two that stand out and still are one spike.
  };
  struct Spike {
    double x = 0, value = 0, z = 0;
    bool operator==(const Spike&) const = default;
  };

  SpikeDetector() = default;
  explicit SpikeDetector(const Options& options) : options_(options), window_(options.window) {}

  /// Takes in up to `max_points` new points of `series`, always the same one; starts again where points were dropped,
  /// and goes on where they were folded (of what it had not taken in then, segments count with their highest value).
  /// Returns how many were taken.
  std::size_t update(const MetricSeries& series, std::size_t max_points);
  bool isDone(const MetricSeries& series) const {
    return generation_ == series.generation() && num_taken_ == series.size();
  }
  const std::vector<Spike>& spikes() const { return spikes_; }

 private:
  void goOnAfterFolding(const MetricSeries& series);

  Options options_;
  std::uint64_t generation_ = 0, num_drops_ = 0;
  std::size_t num_taken_ = 0;
  double last_x_ = 0;  ///< Of the last entry taken.
  RobustWindow window_;
  std::vector<Spike> spikes_;
  std::ptrdiff_t last_high_ = 0;  ///< Index of the last point that stood out; valid when there are spikes.
};

}  // namespace meanflow::base
