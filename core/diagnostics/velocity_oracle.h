// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <vector>

#include "core/flow/fields.h"

namespace meanflow::core {

/// The velocity that flow matching on a finite set of latents would learn with unlimited capacity,
///   v*(z_t, t, y) = E[eps - x | z_t] = (z_t - m) / t,   m = sum_i p_i x_i,
///   p = softmax_i(-|z_t - (1 - t) x_i|^2 / (2 t^2)),
/// over the latents of class y; the null label takes all of them. Computed in float64 and streamed over the data: the
/// distances that the softmax compares differ by less than float32 resolves where t is small.
class VelocityOracle {
 public:
  /// x [N, C, H, W], y [N] int64; both are kept, not copied. An undefined y: one class, labels are ignored.
  VelocityOracle(torch::Tensor x, const torch::Tensor& y, std::int64_t null_label);

  /// z_t [B, C, H, W], t [B], y [B] -> [B, C, H, W] in z_t's dtype. Times below 1e-6 count as 1e-6; near t = 0 m is the
  /// nearest latent. Waits for the device (labels are read). Throws c10::Error for a class without latents.
  torch::Tensor operator()(const torch::Tensor& z_t, const torch::Tensor& t, const torch::Tensor& y) const;

 private:
  torch::Tensor posteriorMean(const torch::Tensor& z_t, const torch::Tensor& t, const torch::Tensor& members) const;

  torch::Tensor x_;
  std::int64_t null_label_;
  std::vector<torch::Tensor> members_;  ///< Numbers of the latents of each class, on x's device; empty without labels.
};

}  // namespace meanflow::core
