// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <torch/torch.h>

namespace meanflow::core {

/// Two-dimensional sin-cos table [1, side * side, width] (row-major tokens): the first half of the features encodes the
/// column, the second the row; each half is [sin(p w_k), cos(p w_k)], w_k = 10000^(-k / (width / 4)). Computed in
/// float64, returned in float32. `width` must be a multiple of 4.
torch::Tensor sinCosPositions(std::int64_t width, std::int64_t side);

/// Rotary embedding of a square token grid. Registers the official buffers freqs_cos and freqs_sin [side * side,
/// head_dim]: row angles fill the first half of the features, column angles the second, pairs (2k, 2k + 1) share one.
class RotaryEmbeddingImpl : public torch::nn::Module {
 public:
  /// `head_dim` must be a multiple of 4.
  RotaryEmbeddingImpl(std::int64_t head_dim, std::int64_t side);

  /// Complex factors [num_tokens, 3, 1, head_dim / 2] that rotate a fused projection [B, N, 3, heads, head_dim]: cos +
  /// i sin for queries and keys, exactly 1 for values. Where num_tokens is a multiple of the table's length each row is
  /// repeated consecutively; any other count throws.
  torch::Tensor factors(std::int64_t num_tokens) const;

  torch::Tensor freqs_cos, freqs_sin;
};
TORCH_MODULE(RotaryEmbedding);

/// Turns each pair (a, b) of neighbours in the last axis into (a cos - b sin, b cos + a sin). x [B, N, 3, heads, d] or
/// any shape that broadcasts with `factors` after pairing. Half precision is rotated in float32 and cast back.
torch::Tensor rotatePairs(const torch::Tensor& x, const torch::Tensor& factors);

}  // namespace meanflow::core
