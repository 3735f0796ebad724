// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/base/events/training_event.h"
#include "core/flow/fields.h"

namespace meanflow::core {

/// Every stride-th of `num_points` points, beginning with the first; the last one is always among them.
std::vector<std::int64_t> everyNth(std::int64_t num_points, std::int64_t stride);

/// How well a student jumps from anywhere to anywhere: its one-step jumps between knots of teacher paths against the
/// paths, over the triangle r < t. The teacher does not change while the student trains, so its paths are made once and
/// kept; without autograd.
class JumpMap {
 public:
  /// Euler paths of `teacher` from noise z [M, C, H, W] with labels y [M] over `grid` (falling); of its points those
  /// numbered in `knots` (rising, the first is 0) are kept. `reference`: "path" or "fine", see base::CmtMatrixReady.
  JumpMap(const VelocityField& teacher, const torch::Tensor& z, torch::Tensor y, const std::vector<double>& grid,
          const std::vector<std::int64_t>& knots, std::string reference);

  /// Mean over the paths of |z_t - (t - r) u(z_t, r, t, y) - z_r| / |z_r| for every pair of knots. Infinite where the
  /// student's answer is not finite; NaN is for the unused half. The caller fills stage and step.
  base::CmtMatrixReady measure(const FlowMap& u) const;

 private:
  torch::Tensor states_;  ///< [n, M, C, H, W]
  torch::Tensor y_;
  std::vector<double> times_;  ///< [n]
  std::string reference_;
};

}  // namespace meanflow::core
