// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <vector>

#include "core/base/config/run_config.h"

namespace meanflow::core {

/// Interval ends of a MeanFlow batch, each [B], r <= t.
struct TimePairs {
  torch::Tensor r, t;
};

/// Training times and solver grids: t' = s t / (1 + (s - 1) t) with s = sqrt(latent dimension / shift_base) (RAE,
/// arXiv:2510.11690; values follow bytetriper/RAE src/stage2/transport).
class TimeSchedule {
 public:
  /// latent_dim = C * H * W, replaced by config.shift_dim > 0. config.shift > 0 overrides the computed shift. Throws
  /// c10::Error when the shift is below 1 or the distribution is unknown.
  TimeSchedule(const base::TimeConfig& config, std::int64_t latent_dim);
  /// Uniform on [0, 0.999] with this shift.
  static TimeSchedule withShift(double shift);

  double shift() const { return shift_; }
  double shifted(double t) const { return shift_ * t / (1 + (shift_ - 1) * t); }
  torch::Tensor shifted(const torch::Tensor& t) const { return shift_ * t / (1 + (shift_ - 1) * t); }

  /// Raw uniforms in [0, 1) (any shape, float32 or float64) -> shifted times of the configured distribution.
  torch::Tensor fromUniforms(const torch::Tensor& u) const;
  /// The same on [begin, end] instead of [0, t_max]; for paths and predictions other than the linear velocity's.
  torch::Tensor fromUniforms(const torch::Tensor& u, double begin, double end) const;
  /// Two draws per row sorted into r <= t, then r := t where the row's mask uniform is below 1 - ratio_r_less_than_t.
  /// u2 [B, 2], u_mask [B].
  TimePairs pairsFromUniforms(const torch::Tensor& u2, const torch::Tensor& u_mask, double ratio_r_less_than_t) const;

  /// Solver grid from exactly 1 down to shifted(end): num_points points make num_points - 1 steps. `end` is before the
  /// shift; the reference stops at 0.001. Needs num_points >= 2.
  std::vector<double> grid(std::int64_t num_points, double end = 0.001) const;

 private:
  base::TimeConfig config_;
  double shift_ = 1;
};

/// Unordered times t2 [B, 2] -> r <= t, with r := t where u_mask < 1 - ratio_r_less_than_t.
TimePairs sortedPairs(const torch::Tensor& t2, const torch::Tensor& u_mask, double ratio_r_less_than_t);

}  // namespace meanflow::core
