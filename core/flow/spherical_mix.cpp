// SPDX-License-Identifier: Apache-2.0
#include "core/flow/spherical_mix.h"

#include <torch/torch.h>

namespace meanflow::core {

torch::Tensor sphericalMix(const torch::Tensor& from, const torch::Tensor& to, const torch::Tensor& share) {
  TORCH_CHECK(from.sizes() == to.sizes() && share.dim() == 1 && share.size(0) == from.size(0),
              "sphericalMix: two tensors of one shape and one share a row are needed, got ", from.sizes(), ", ",
              to.sizes(), " and ", share.sizes());
  const auto a = from.flatten(1).to(torch::kFloat64), b = to.flatten(1).to(torch::kFloat64);
  const auto s = share.to(torch::kFloat64).unsqueeze(1);
  const auto cosine = (a * b).sum(1, /*keepdim=*/true) / (a.norm(2, 1, true) * b.norm(2, 1, true)).clamp_min(1e-300);
  const auto theta = cosine.clamp(-1, 1).acos();
  const auto sine = theta.sin();
  const auto is_straight = sine < 1e-6;
  const auto safe = torch::where(is_straight, torch::ones_like(sine), sine);
  const auto weight_a = torch::where(is_straight, 1 - s, ((1 - s) * theta).sin() / safe);
  const auto weight_b = torch::where(is_straight, s, (s * theta).sin() / safe);
  return (weight_a * a + weight_b * b).to(from.scalar_type()).view_as(from);
}

}  // namespace meanflow::core
