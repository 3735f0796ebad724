// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace meanflow::ui {

/// A debiased exponential moving average over every point of a series, whatever is drawn of it:
///   m_k = s m_{k-1} + (1 - s) x_k,  shown m_k / (1 - s^k),
/// so the first points are not pulled towards zero and a constant stays what it is. Points that are not finite are passed
/// over: they leave a gap and do not poison what follows.
class SmoothedSeries {
 public:
  /// `smoothing` s in [0, 1); 0 returns the points themselves. A change starts over.
  void setSmoothing(double smoothing);
  double smoothing() const { return smoothing_; }
  void clear();
  void append(double value);
  std::size_t size() const { return values_.size(); }
  float at(std::size_t index) const { return values_[index]; }

 private:
  double smoothing_ = 0;
  double mean_ = 0;
  double weight_ = 0;  ///< 1 - s^k
  std::vector<float> values_;
};

}  // namespace meanflow::ui
