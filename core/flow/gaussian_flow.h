// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "core/flow/fields.h"

namespace meanflow::core {

/// The flow of Gaussian data x ~ N(mean, std^2 I) under z_t = (1 - t) x + t eps, where everything is known on paper:
/// z_t ~ N((1 - t) mean, s(t)^2 I) with s(t)^2 = (1 - t)^2 std^2 + t^2, and the flow maps quantiles onto quantiles.
/// Objectives, solvers and diagnostics are checked against it. Labels are ignored.
struct GaussianFlow {
  torch::Tensor mean;  ///< Broadcasts against latents; [1, C, H, W] or a scalar.
  double std = 1;      ///< Standard deviation of the data; 0 gives straight paths to `mean`.

  torch::Tensor sigma(const torch::Tensor& t) const;  ///< s(t), shaped like t.
  /// v*(z, t) = E[eps - x | z_t = z]; t [B], s(t) > 0.
  torch::Tensor velocity(const torch::Tensor& z, const torch::Tensor& t) const;
  /// Exact average velocity over [r, t]; equals velocity() at r = t. r, t [B].
  torch::Tensor averageVelocity(const torch::Tensor& z, const torch::Tensor& r, const torch::Tensor& t) const;
  /// Where the flow takes z from time t to time r.
  torch::Tensor transport(const torch::Tensor& z, const torch::Tensor& r, const torch::Tensor& t) const;

  VelocityField velocityField() const;
  FlowMap flowMap() const;
};

}  // namespace meanflow::core
