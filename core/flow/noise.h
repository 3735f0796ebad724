// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <torch/types.h>

#include <array>
#include <cstdint>
#include <span>

namespace meanflow::core {

/// Philox4x32-10 (Salmon et al., SC 2011): a 128-bit counter and a 64-bit key -> four random words. The same on every
/// machine, and any element can be made without the ones before it.
std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key);

/// What a random number is for; different streams of one seed are independent.
enum class Stream : std::uint32_t {
  kSampleNoise = 0,  ///< Noise of a generated image, keyed by its number.
  kEps = 1,          ///< Training noise.
  kLabelDrop = 2,
  kTime = 3,
  kTimeMask = 4,
  kPairs = 5,
  kNetworkLabelDrop = 6,
  kSdeNoise = 7,
  kSampleLabel = 8,
  kFirstFree = 64,  ///< Callers with purposes of their own count from here.
};

/// Fills `out` with standard normals (Box-Muller) / uniforms in [0, 1) of element `index` of a stream. An element holds
/// up to 2^34 numbers; out[k] depends only on (seed, stream, index, k).
void philoxNormal(std::uint64_t seed, Stream stream, std::uint64_t index, std::span<float> out);
void philoxUniform(std::uint64_t seed, Stream stream, std::uint64_t index, std::span<float> out);

/// Index of sample `position` of the global batch of optimizer step `step` (each below 2^32).
constexpr std::uint64_t stepIndex(std::int64_t step, std::int64_t position) {
  return (static_cast<std::uint64_t>(step) << 32) | static_cast<std::uint64_t>(position);
}

/// Standard normals [N, *sample_shape], float32 on the CPU, row n from index first_index + n (or indices[n]). Row n is
/// bit-identical whatever the batch it is asked for in.
torch::Tensor noise(std::uint64_t seed, Stream stream, std::uint64_t first_index, std::int64_t num_samples,
                    torch::IntArrayRef sample_shape);
torch::Tensor noise(std::uint64_t seed, Stream stream, std::span<const std::uint64_t> indices,
                    torch::IntArrayRef sample_shape);

/// As noise(), uniforms in [0, 1) instead; an empty `sample_shape` gives [N].
torch::Tensor uniforms(std::uint64_t seed, Stream stream, std::span<const std::uint64_t> indices,
                       torch::IntArrayRef sample_shape);

}  // namespace meanflow::core
