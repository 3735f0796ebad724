// SPDX-License-Identifier: Apache-2.0
#include "core/flow/gaussian_flow.h"

#include <torch/torch.h>

namespace meanflow::core {

torch::Tensor GaussianFlow::sigma(const torch::Tensor& t) const {
  return ((1 - t).square() * (std * std) + t.square()).sqrt();
}

torch::Tensor GaussianFlow::velocity(const torch::Tensor& z, const torch::Tensor& t) const {
  return averageVelocity(z, t, t);
}

torch::Tensor GaussianFlow::averageVelocity(const torch::Tensor& z, const torch::Tensor& r,
                                            const torch::Tensor& t) const {
  // (z_t - z_r) / (t - r) with the common factor t - r of s(t)^2 - s(r)^2 cancelled by hand: exact down to r = t.
  const auto slope = ((t + r) - std * std * (2 - t - r)) / (sigma(t) * (sigma(t) + sigma(r)));
  return likeImage(slope) * (z - likeImage(1 - t) * mean) - mean;
}

torch::Tensor GaussianFlow::transport(const torch::Tensor& z, const torch::Tensor& r, const torch::Tensor& t) const {
  return likeImage(1 - r) * mean + likeImage(sigma(r) / sigma(t)) * (z - likeImage(1 - t) * mean);
}

VelocityField GaussianFlow::velocityField() const {
  return [flow = *this](const torch::Tensor& z, const torch::Tensor& t, const torch::Tensor&) {
    return flow.velocity(z, t);
  };
}

FlowMap GaussianFlow::flowMap() const {
  return [flow = *this](const torch::Tensor& z, const torch::Tensor& r, const torch::Tensor& t, const torch::Tensor&) {
    return flow.averageVelocity(z, r, t);
  };
}

}  // namespace meanflow::core
