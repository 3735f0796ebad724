// SPDX-License-Identifier: Apache-2.0
#include "core/base/metrics/spike_detector.h"

#include <algorithm>
#include <cmath>

namespace meanflow::base {

std::size_t SpikeDetector::update(const MetricSeries& series, std::size_t max_points) {
  if (generation_ != series.generation()) {
    *this = SpikeDetector(options_);
    generation_ = series.generation();
  }
  const auto end = std::min(series.size(), num_taken_ + max_points);
  const auto num_new = end - num_taken_;
  for (; num_taken_ < end; ++num_taken_) {
    const double y = series.y(num_taken_);
    if (!std::isfinite(y)) continue;
    if (const double z = window_.score(y, options_.threshold); z >= options_.threshold) {
      const Spike spike{series.x(num_taken_), y, z};
      if (spikes_.empty() || num_taken_ - last_high_ > options_.join + 1)
        spikes_.push_back(spike);
      else if (z > spikes_.back().z)
        spikes_.back() = spike;
      last_high_ = num_taken_;
    }
    window_.remember(y);
  }
  return num_new;
}

}  // namespace meanflow::base
