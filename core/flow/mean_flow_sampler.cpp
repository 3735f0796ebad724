// SPDX-License-Identifier: Apache-2.0
#include "core/flow/mean_flow_sampler.h"

#include <torch/torch.h>

namespace meanflow::core {

std::vector<double> uniformKnots(std::int64_t num_steps) {
  TORCH_CHECK(num_steps >= 1, "sampling needs at least one step, got ", num_steps);
  std::vector<double> knots;
  for (std::int64_t k = num_steps; k >= 0; --k)
    knots.push_back(static_cast<double>(k) / static_cast<double>(num_steps));
  return knots;
}

torch::Tensor sampleMeanFlow(const FlowMap& u, const torch::Tensor& z, const torch::Tensor& y,
                             std::span<const double> knots) {
  TORCH_CHECK(knots.size() >= 2, "sampling needs at least 2 knots, got ", knots.size());
  torch::NoGradGuard no_grad;
  auto state = z;
  for (std::size_t k = 0; k + 1 < knots.size(); ++k) {
    const double t = knots[k], r = knots[k + 1];
    TORCH_CHECK(r < t, "sampling knots must fall (knot ", k, " is ", t, ", the next ", r, ")");
    const auto at = [&](double time) { return torch::full({state.size(0)}, time, state.options()); };
    state = state - (t - r) * u(state, at(r), at(t), y);
  }
  return state;
}

torch::Tensor sampleMeanFlow(const FlowMap& u, const torch::Tensor& z, const torch::Tensor& y, std::int64_t num_steps) {
  return sampleMeanFlow(u, z, y, uniformKnots(num_steps));
}

torch::Tensor toUint8(const torch::Tensor& images) {
  return (images.clamp(0, 1) * 255).to(torch::kUInt8).permute({0, 2, 3, 1}).contiguous();
}

}  // namespace meanflow::core
