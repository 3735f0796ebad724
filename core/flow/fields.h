// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <torch/types.h>

#include <functional>

namespace meanflow::core {

/// Instantaneous velocity v(z, t, y): z [B, C, H, W], t [B], y [B] int64 -> [B, C, H, W]. t: 0 = data, 1 = noise.
/// The null label is num_classes. Networks are one way to make one; closed forms for Gaussian data are another.
using VelocityField =
    std::function<torch::Tensor(const torch::Tensor& z, const torch::Tensor& t, const torch::Tensor& y)>;

/// Average velocity u(z, r, t, y) over [r, t], 0 <= r <= t <= 1: z_r = z_t - (t - r) u. Shapes as above, r [B].
using FlowMap = std::function<torch::Tensor(const torch::Tensor& z, const torch::Tensor& r, const torch::Tensor& t,
                                            const torch::Tensor& y)>;

/// A per-sample vector [B] shaped to broadcast over latents: [B] -> [B, 1, 1, 1].
inline torch::Tensor likeImage(const torch::Tensor& per_sample) { return per_sample.view({-1, 1, 1, 1}); }

}  // namespace meanflow::core
