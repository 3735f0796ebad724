// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/smoothed_series.h"

#include <cmath>
#include <limits>

namespace meanflow::ui {

void SmoothedSeries::setSmoothing(double smoothing) {
  if (smoothing == smoothing_) return;
  smoothing_ = smoothing;
  clear();
}

void SmoothedSeries::clear() {
  mean_ = 0;
  weight_ = 0;
  values_.clear();
}

void SmoothedSeries::append(double value) {
  if (!std::isfinite(value)) {
    values_.push_back(std::numeric_limits<float>::quiet_NaN());
    return;
  }
  mean_ = smoothing_ * mean_ + (1 - smoothing_) * value;
  weight_ = smoothing_ * weight_ + (1 - smoothing_);
  values_.push_back(static_cast<float>(mean_ / weight_));
}

}  // namespace meanflow::ui
