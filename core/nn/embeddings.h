// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <torch/torch.h>

namespace meanflow::core {

/// Time t [B] -> [B, width]: [sin(2 pi t W), cos(2 pi t W)] through Linear-SiLU-Linear. The frequencies W ~ N(0, 1) are
/// a parameter that does not require gradients unless switched on.
class FourierTimeEmbeddingImpl : public torch::nn::Module {
 public:
  explicit FourierTimeEmbeddingImpl(std::int64_t width, std::int64_t num_frequencies = 256);
  torch::Tensor forward(const torch::Tensor& t);

  torch::Tensor W;
  torch::nn::Sequential mlp{nullptr};
};
TORCH_MODULE(FourierTimeEmbedding);

/// Table lookup y [B] int64 -> [B, width]. Label dropout is not done here: labels arrive already dropped (the null
/// label is num_classes and has a row when `with_null`).
class LabelEmbeddingImpl : public torch::nn::Module {
 public:
  LabelEmbeddingImpl(std::int64_t num_classes, bool with_null, std::int64_t width);
  torch::Tensor forward(const torch::Tensor& y);

  torch::nn::Embedding embedding_table{nullptr};
};
TORCH_MODULE(LabelEmbedding);

/// [B, C, H, W] -> [B, (H/p)(W/p), C * p * p], features in (channel, row, column) order as a convolution's weight.
torch::Tensor patchify(const torch::Tensor& image, std::int64_t patch_size);

/// [B, N, p * p * C] with (row, column, channel) features of a square token grid -> [B, C, H, W].
torch::Tensor unpatchify(const torch::Tensor& tokens, std::int64_t patch_size);

/// The official patch embedding `proj` (a convolution whose stride is its kernel) applied to patches made by patchify,
/// so two embedders of one input share the rearrangement.
class PatchEmbedImpl : public torch::nn::Module {
 public:
  PatchEmbedImpl(std::int64_t in_channels, std::int64_t patch_size, std::int64_t width);
  torch::Tensor forward(const torch::Tensor& patches);

  torch::nn::Conv2d proj{nullptr};
};
TORCH_MODULE(PatchEmbed);

}  // namespace meanflow::core
