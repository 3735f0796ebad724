// SPDX-License-Identifier: Apache-2.0
#include "core/base/metrics/spike_detector.h"

#include <algorithm>
#include <cmath>

namespace meanflow::base {

void SpikeDetector::goOnAfterFolding(const MetricSeries& series) {
  const auto first = series.firstAfter(last_x_);
  last_high_ -= static_cast<std::ptrdiff_t>(num_taken_) - static_cast<std::ptrdiff_t>(first);
  num_taken_ = first;
}

std::size_t SpikeDetector::update(const MetricSeries& series, std::size_t max_points) {
  if (num_drops_ != series.numDrops()) {
    *this = SpikeDetector(options_);
    num_drops_ = series.numDrops();
  } else if (generation_ != series.generation() && num_taken_ > 0) {
    goOnAfterFolding(series);
  }
  generation_ = series.generation();
  const auto end = std::min(series.size(), num_taken_ + max_points);
  const auto num_new = end - num_taken_;
  for (; num_taken_ < end; ++num_taken_) {
    last_x_ = series.x(num_taken_);
    if (series.numFinite(num_taken_) == 0) continue;
    const double y = series.high(num_taken_);
    if (const double z = window_.score(y, options_.threshold); z >= options_.threshold) {
      const Spike spike{series.x(num_taken_), y, z};
      const auto index = static_cast<std::ptrdiff_t>(num_taken_);
      if (spikes_.empty() || index - last_high_ > static_cast<std::ptrdiff_t>(options_.join) + 1)
        spikes_.push_back(spike);
      else if (z > spikes_.back().z)
        spikes_.back() = spike;
      last_high_ = index;
    }
    window_.remember(y);
  }
  return num_new;
}

}  // namespace meanflow::base
