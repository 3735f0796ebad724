// SPDX-License-Identifier: Apache-2.0
#include "core/nn/positions.h"

namespace meanflow::core {
namespace {

// [side * side] row and column coordinates of row-major tokens, float64.
std::pair<torch::Tensor, torch::Tensor> gridCoordinates(std::int64_t side) {
  const auto axis = torch::arange(side, torch::kFloat64);
  return {axis.repeat_interleave(side), axis.repeat({side})};
}

torch::Tensor geometricFrequencies(std::int64_t count) {
  return torch::pow(10000.0, -torch::arange(count, torch::kFloat64) / static_cast<double>(count));
}

}  // namespace

torch::Tensor sinCosPositions(std::int64_t width, std::int64_t side) {
  TORCH_CHECK(width % 4 == 0, "sin-cos positions: width must be a multiple of 4, got ", width);
  const auto frequencies = geometricFrequencies(width / 4);
  const auto encode = [&](const torch::Tensor& coordinate) {
    const auto angles = torch::outer(coordinate, frequencies);
    return torch::cat({angles.sin(), angles.cos()}, 1);
  };
  const auto [row, column] = gridCoordinates(side);
  return torch::cat({encode(column), encode(row)}, 1).unsqueeze(0).to(torch::kFloat32);
}

RotaryEmbeddingImpl::RotaryEmbeddingImpl(std::int64_t head_dim, std::int64_t side) {
  TORCH_CHECK(head_dim % 4 == 0, "rotary embedding: hidden_size / num_heads must be a multiple of 4, got ", head_dim);
  const auto frequencies = geometricFrequencies(head_dim / 4);
  const auto [row, column] = gridCoordinates(side);
  const auto angles =
      torch::cat({torch::outer(row, frequencies), torch::outer(column, frequencies)}, 1).repeat_interleave(2, 1);
  freqs_cos = register_buffer("freqs_cos", angles.cos().to(torch::kFloat32));
  freqs_sin = register_buffer("freqs_sin", angles.sin().to(torch::kFloat32));
}

torch::Tensor RotaryEmbeddingImpl::factors(std::int64_t num_tokens) const {
  const auto num_rows = freqs_cos.size(0);
  TORCH_CHECK(num_tokens % num_rows == 0, "rotary embedding: ", num_tokens, " tokens do not fit a table of ", num_rows,
              " positions; the latent's side must match input_size");
  const auto rotate_by = torch::complex(freqs_cos.slice(1, 0, c10::nullopt, 2), freqs_sin.slice(1, 0, c10::nullopt, 2));
  auto table = torch::stack({rotate_by, rotate_by, torch::ones_like(rotate_by)}, 1).unsqueeze(2);
  if (num_tokens != num_rows) table = table.repeat_interleave(num_tokens / num_rows, 0);
  return table;
}

torch::Tensor rotatePairs(const torch::Tensor& x, const torch::Tensor& factors) {
  const bool is_half = x.scalar_type() == torch::kBFloat16 || x.scalar_type() == torch::kHalf;
  const auto wide = is_half ? x.to(torch::kFloat32) : x;
  // One complex product instead of four real ones: a third of the memory traffic, which is what rotation costs.
  const auto pairs = torch::view_as_complex(wide.unflatten(-1, {-1, 2}));
  const auto rotated = torch::view_as_real(pairs * factors).flatten(-2);
  return is_half ? rotated.to(x.scalar_type()) : rotated;
}

}  // namespace meanflow::core
