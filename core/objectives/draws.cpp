// SPDX-License-Identifier: Apache-2.0
#include "core/objectives/draws.h"

#include <torch/torch.h>

#include <vector>

#include "core/flow/noise.h"

namespace meanflow::core {
namespace {

torch::Tensor pairIndices(std::uint64_t seed, std::span<const std::uint64_t> indices, std::int64_t list_size) {
  TORCH_CHECK(list_size < (std::int64_t{1} << 32), "draws: a pair list of ", list_size, " entries is too long");
  auto result = torch::empty({static_cast<std::int64_t>(indices.size())}, torch::kInt64);
  auto* data = result.data_ptr<std::int64_t>();
  for (std::size_t n = 0; n < indices.size(); ++n) {
    const auto index = indices[n];
    const auto words = philox4x32({0, static_cast<std::uint32_t>(Stream::kPairs), static_cast<std::uint32_t>(index),
                                   static_cast<std::uint32_t>(index >> 32)},
                                  {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)});
    data[n] =
        static_cast<std::int64_t>((static_cast<std::uint64_t>(words[0]) * static_cast<std::uint64_t>(list_size)) >> 32);
  }
  return result;
}

}  // namespace

Draws drawFor(const DrawNeeds& needs, std::uint64_t seed, std::int64_t step, std::span<const std::int64_t> positions,
              torch::IntArrayRef sample_shape, const torch::Device& device) {
  std::vector<std::uint64_t> indices;
  indices.reserve(positions.size());
  for (const auto position : positions) indices.push_back(stepIndex(step, position));
  Draws draws;
  if (needs.labels) draws.label_uniforms = uniforms(seed, Stream::kLabelDrop, indices, {});
  if (needs.eps) draws.eps = noise(seed, Stream::kEps, indices, sample_shape).to(device);
  if (needs.times_per_sample == 1) draws.time_uniforms = uniforms(seed, Stream::kTime, indices, {});
  if (needs.times_per_sample == 2) draws.time_uniforms = uniforms(seed, Stream::kTime, indices, {2});
  if (needs.mask) draws.mask_uniforms = uniforms(seed, Stream::kTimeMask, indices, {});
  if (needs.pair_list_size > 0) draws.pair_indices = pairIndices(seed, indices, needs.pair_list_size);
  if (needs.network_label_copies > 0)
    draws.network_label_uniforms =
        uniforms(seed, Stream::kNetworkLabelDrop, indices, {needs.network_label_copies}).t().flatten();
  return draws;
}

torch::Tensor dropLabels(const torch::Tensor& y, const torch::Tensor& label_uniforms, double rate,
                         std::int64_t null_label) {
  if (rate <= 0) return y;
  TORCH_CHECK(label_uniforms.defined() && label_uniforms.size(0) == y.size(0),
              "draws: label dropout needs one uniform per label");
  return y.masked_fill((label_uniforms < rate).to(y.device()), null_label);
}

}  // namespace meanflow::core
