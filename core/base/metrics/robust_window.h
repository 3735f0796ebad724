// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <deque>
#include <vector>

namespace meanflow::base {

/// The finite values of the recent past, and how far above them another one lies: the robust z-score
/// (y - median) / (1.4826 MAD), MAD = median absolute deviation. For normal noise the ordinary z, and hardly moved by
/// earlier outliers. A deviation below `relative_floor` of the median counts as that much, so that a curve without
/// noise has no outliers of its last digits. Only upwards: a loss that falls is what training is for.
class RobustWindow {
 public:
  struct Options {
    std::size_t window = 101;
    std::size_t min_points = 20;  ///< Before the first value that is judged.
    double relative_floor = 0.01;
  };
  RobustWindow() = default;
  explicit RobustWindow(const Options& options) : options_(options) {}

  bool isReady() const { return sorted_.size() >= options_.min_points; }
  double median() const;  ///< NaN when empty.
  /// 0 at or below the median and before min_points. Scores that cannot reach `at_least` may come back as 0, sooner.
  double score(double y, double at_least = 0) const;
  double bound(double score) const;  ///< The value that has this score; infinite before min_points.
  void remember(double y);           ///< A value that is not finite is passed over.

 private:
  double deviation(double median) const;
  Options options_;
  std::deque<double> window_;   ///< In time's order.
  std::vector<double> sorted_;  ///< The same values.
};

}  // namespace meanflow::base
