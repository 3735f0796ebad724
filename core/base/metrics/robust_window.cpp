// SPDX-License-Identifier: Apache-2.0
#include "core/base/metrics/robust_window.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace meanflow::base {
namespace {

constexpr double kMadOfNormal = 1.4826;  // standard deviation of normal noise over its MAD

double medianOf(const std::vector<double>& sorted) {
  const auto n = sorted.size();
  return n % 2 == 1 ? sorted[n / 2] : 0.5 * (sorted[n / 2 - 1] + sorted[n / 2]);
}

/// Median distance from `centre`: the sorted values are visited outwards, nearest first, until half have been seen.
double medianDistance(const std::vector<double>& sorted, double centre) {
  const auto n = sorted.size();
  auto right = static_cast<std::size_t>(std::lower_bound(sorted.begin(), sorted.end(), centre) - sorted.begin());
  auto left = right;  // the next one to the left is left - 1
  double before = 0, last = 0;
  for (std::size_t k = 0; k <= n / 2; ++k) {
    before = last;
    const double to_right = right < n ? sorted[right] - centre : std::numeric_limits<double>::infinity();
    const double to_left = left > 0 ? centre - sorted[left - 1] : std::numeric_limits<double>::infinity();
    if (to_left < to_right)
      last = to_left, --left;
    else
      last = to_right, ++right;
  }
  return n % 2 == 1 ? last : 0.5 * (before + last);
}

}  // namespace

double RobustWindow::median() const {
  return sorted_.empty() ? std::numeric_limits<double>::quiet_NaN() : medianOf(sorted_);
}

double RobustWindow::deviation(double median) const {
  return std::max(kMadOfNormal * medianDistance(sorted_, median), options_.relative_floor * std::abs(median));
}

double RobustWindow::score(double y, double at_least) const {
  if (!isReady()) return 0;
  const double centre = medianOf(sorted_);
  if (y <= centre) return 0;
  if (y - centre < at_least * options_.relative_floor * std::abs(centre)) return 0;  // whatever the deviation
  const double scale = deviation(centre);
  return scale > 0 ? (y - centre) / scale : 0;  // all zero so far: nothing to measure by
}

double RobustWindow::bound(double score) const {
  if (!isReady()) return std::numeric_limits<double>::infinity();
  const double centre = medianOf(sorted_);
  return centre + score * deviation(centre);
}

void RobustWindow::remember(double y) {
  if (!std::isfinite(y)) return;
  if (window_.size() == options_.window) {
    sorted_.erase(std::lower_bound(sorted_.begin(), sorted_.end(), window_.front()));
    window_.pop_front();
  }
  window_.push_back(y);
  sorted_.insert(std::upper_bound(sorted_.begin(), sorted_.end(), y), y);
}

}  // namespace meanflow::base
