// SPDX-License-Identifier: Apache-2.0
#include "core/flow/noise.h"

#include <ATen/Parallel.h>
#include <torch/torch.h>

#include <cmath>
#include <numbers>
#include <numeric>
#include <vector>

namespace meanflow::core {
namespace {

constexpr float kTwoToMinus32 = 0x1p-32F;

/// Four random words of a stream's element: the counter is (block within the element, stream, index).
std::array<std::uint32_t, 4> words(std::uint64_t seed, Stream stream, std::uint64_t index, std::size_t block) {
  return philox4x32({static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(stream),
                     static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32)},
                    {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)});
}

/// Two independent normals from two words. The first uniform is shifted by half a step: its logarithm stays finite.
std::array<float, 2> boxMuller(std::uint32_t a, std::uint32_t b) {
  const float radius = std::sqrt(-2.0F * std::log(static_cast<float>(a) * kTwoToMinus32 + 0.5F * kTwoToMinus32));
  const float angle = 2.0F * std::numbers::pi_v<float> * (static_cast<float>(b) * kTwoToMinus32);
  return {radius * std::cos(angle), radius * std::sin(angle)};
}

template <class Fill>
torch::Tensor filled(std::span<const std::uint64_t> indices, torch::IntArrayRef sample_shape, Fill fill) {
  std::vector<std::int64_t> shape = {static_cast<std::int64_t>(indices.size())};
  shape.insert(shape.end(), sample_shape.begin(), sample_shape.end());
  auto result = torch::empty(shape, torch::kFloat32);
  const auto per_sample = static_cast<std::size_t>(c10::multiply_integers(sample_shape));
  float* data = result.data_ptr<float>();
  at::parallel_for(0, shape.front(), 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto n = static_cast<std::size_t>(begin); n < static_cast<std::size_t>(end); ++n)
      fill(indices[n], std::span<float>(data + n * per_sample, per_sample));
  });
  return result;
}

}  // namespace

std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key) {
  constexpr std::uint64_t kMultiplier0 = 0xD2511F53, kMultiplier1 = 0xCD9E8D57;
  constexpr std::uint32_t kKeyStep0 = 0x9E3779B9, kKeyStep1 = 0xBB67AE85;
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = kMultiplier0 * counter[0], product1 = kMultiplier1 * counter[2];
    counter = {static_cast<std::uint32_t>(product1 >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(product1),
               static_cast<std::uint32_t>(product0 >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(product0)};
    key = {key[0] + kKeyStep0, key[1] + kKeyStep1};
  }
  return counter;
}

void philoxNormal(std::uint64_t seed, Stream stream, std::uint64_t index, std::span<float> out) {
  for (std::size_t block = 0; 4 * block < out.size(); ++block) {
    const auto w = words(seed, stream, index, block);
    const auto first = boxMuller(w[0], w[1]), second = boxMuller(w[2], w[3]);
    const std::array<float, 4> normals = {first[0], first[1], second[0], second[1]};
    for (std::size_t k = 0; k < 4 && 4 * block + k < out.size(); ++k) out[4 * block + k] = normals[k];
  }
}

void philoxUniform(std::uint64_t seed, Stream stream, std::uint64_t index, std::span<float> out) {
  for (std::size_t block = 0; 4 * block < out.size(); ++block) {
    const auto w = words(seed, stream, index, block);
    // 24 bits: rounding 32 of them to float could give 1.
    for (std::size_t k = 0; k < 4 && 4 * block + k < out.size(); ++k)
      out[4 * block + k] = static_cast<float>(w[k] >> 8) * 0x1p-24F;
  }
}

torch::Tensor noise(std::uint64_t seed, Stream stream, std::span<const std::uint64_t> indices,
                    torch::IntArrayRef sample_shape) {
  return filled(indices, sample_shape,
                [&](std::uint64_t index, std::span<float> out) { philoxNormal(seed, stream, index, out); });
}

torch::Tensor noise(std::uint64_t seed, Stream stream, std::uint64_t first_index, std::int64_t num_samples,
                    torch::IntArrayRef sample_shape) {
  std::vector<std::uint64_t> indices(static_cast<std::size_t>(num_samples));
  std::iota(indices.begin(), indices.end(), first_index);
  return noise(seed, stream, indices, sample_shape);
}

torch::Tensor uniforms(std::uint64_t seed, Stream stream, std::span<const std::uint64_t> indices,
                       torch::IntArrayRef sample_shape) {
  return filled(indices, sample_shape,
                [&](std::uint64_t index, std::span<float> out) { philoxUniform(seed, stream, index, out); });
}

}  // namespace meanflow::core
