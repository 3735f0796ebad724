// SPDX-License-Identifier: Apache-2.0
#include "core/nn/embeddings.h"

#include <cmath>
#include <numbers>

namespace meanflow::core {

FourierTimeEmbeddingImpl::FourierTimeEmbeddingImpl(std::int64_t width, std::int64_t num_frequencies) {
  W = register_parameter("W", torch::randn({num_frequencies}), /*requires_grad=*/false);
  mlp = register_module("mlp", torch::nn::Sequential(torch::nn::Linear(2 * num_frequencies, width), torch::nn::SiLU(),
                                                     torch::nn::Linear(width, width)));
}

torch::Tensor FourierTimeEmbeddingImpl::forward(const torch::Tensor& t) {
  const auto angles = t.unsqueeze(1) * W * 2 * std::numbers::pi;  // this order of products is the reference's rounding
  return mlp->forward(torch::cat({angles.sin(), angles.cos()}, 1));
}

LabelEmbeddingImpl::LabelEmbeddingImpl(std::int64_t num_classes, bool with_null, std::int64_t width) {
  embedding_table = register_module("embedding_table", torch::nn::Embedding(num_classes + (with_null ? 1 : 0), width));
}

torch::Tensor LabelEmbeddingImpl::forward(const torch::Tensor& y) { return embedding_table(y); }

torch::Tensor patchify(const torch::Tensor& image, std::int64_t patch_size) {
  if (patch_size == 1) return image.flatten(2).transpose(1, 2);
  const auto B = image.size(0), C = image.size(1), H = image.size(2), W = image.size(3);
  TORCH_CHECK(H % patch_size == 0 && W % patch_size == 0, "patchify: ", H, "x", W, " is no multiple of patch_size ",
              patch_size);
  return image.reshape({B, C, H / patch_size, patch_size, W / patch_size, patch_size})
      .permute({0, 2, 4, 1, 3, 5})
      .reshape({B, (H / patch_size) * (W / patch_size), C * patch_size * patch_size});
}

torch::Tensor unpatchify(const torch::Tensor& tokens, std::int64_t patch_size) {
  const auto B = tokens.size(0), N = tokens.size(1), C = tokens.size(2) / (patch_size * patch_size);
  const auto side = static_cast<std::int64_t>(std::llround(std::sqrt(static_cast<double>(N))));
  TORCH_CHECK(side * side == N && C * patch_size * patch_size == tokens.size(2), "unpatchify: ", N, " tokens of ",
              tokens.size(2), " features are no square grid of ", patch_size, "x", patch_size, " patches");
  if (patch_size == 1) return tokens.transpose(1, 2).reshape({B, C, side, side});
  return tokens.reshape({B, side, side, patch_size, patch_size, C})
      .permute({0, 5, 1, 3, 2, 4})
      .reshape({B, C, side * patch_size, side * patch_size});
}

PatchEmbedImpl::PatchEmbedImpl(std::int64_t in_channels, std::int64_t patch_size, std::int64_t width) {
  proj = register_module(
      "proj", torch::nn::Conv2d(torch::nn::Conv2dOptions(in_channels, width, patch_size).stride(patch_size)));
}

torch::Tensor PatchEmbedImpl::forward(const torch::Tensor& patches) {
  return at::linear(patches, proj->weight.flatten(1), proj->bias);
}

}  // namespace meanflow::core
