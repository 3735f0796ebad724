// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/spike_detector.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace meanflow::ui {
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

double SpikeDetector::score(double y) const {
  if (sorted_.size() < options_.min_points) return 0;
  const double median = medianOf(sorted_);
  if (y <= median) return 0;
  const double floor = options_.relative_floor * std::abs(median);
  if (y - median < options_.threshold * floor) return 0;  // whatever the deviation
  const double deviation = std::max(kMadOfNormal * medianDistance(sorted_, median), floor);
  return deviation > 0 ? (y - median) / deviation : 0;  // all zero so far: nothing to measure by
}

void SpikeDetector::remember(double y) {
  if (window_.size() == options_.window) {
    sorted_.erase(std::lower_bound(sorted_.begin(), sorted_.end(), window_.front()));
    window_.pop_front();
  }
  window_.push_back(y);
  sorted_.insert(std::upper_bound(sorted_.begin(), sorted_.end(), y), y);
}

std::size_t SpikeDetector::update(const base::MetricSeries& series, std::size_t max_points) {
  if (generation_ != series.generation()) {
    *this = SpikeDetector(options_);
    generation_ = series.generation();
  }
  const auto end = std::min(series.size(), num_taken_ + max_points);
  const auto num_new = end - num_taken_;
  for (; num_taken_ < end; ++num_taken_) {
    const double y = series.y(num_taken_);
    if (!std::isfinite(y)) continue;
    if (const double z = score(y); z >= options_.threshold) {
      const Spike spike{series.x(num_taken_), y, z};
      if (spikes_.empty() || num_taken_ - last_high_ > options_.join + 1)
        spikes_.push_back(spike);
      else if (z > spikes_.back().z)
        spikes_.back() = spike;
      last_high_ = num_taken_;
    }
    remember(y);
  }
  return num_new;
}

}  // namespace meanflow::ui
