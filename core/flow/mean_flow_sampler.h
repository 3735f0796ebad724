// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "core/flow/fields.h"

namespace meanflow::core {

/// Knots 1, (n-1)/n, ..., 0 of an n-step sample.
std::vector<double> uniformKnots(std::int64_t num_steps);

/// Few-step sampling with an average velocity (arXiv:2505.13447): z <- z - (t - r) u(z, r, t, y) over falling `knots`;
/// n + 1 knots cost n evaluations. Runs without autograd. Returns the latent at the last knot.
torch::Tensor sampleMeanFlow(const FlowMap& u, const torch::Tensor& z, const torch::Tensor& y,
                             std::span<const double> knots);
torch::Tensor sampleMeanFlow(const FlowMap& u, const torch::Tensor& z, const torch::Tensor& y, std::int64_t num_steps);

/// Images [B, C, H, W] -> uint8 [B, H, W, C]: clamped to [0, 1], times 255, truncated (not rounded) as the reference
/// does.
torch::Tensor toUint8(const torch::Tensor& images);

}  // namespace meanflow::core
