// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <vector>

#include "core/base/config/run_config.h"
#include "core/nn/embeddings.h"
#include "core/nn/vit_block.h"

namespace meanflow::core {

struct VitEncoderOptions {
  base::VitConfig network;
  std::int64_t image_size = 32;
  std::int64_t num_channels = 3;
};

/// ViT patch encoder without a class token: fixed sin-cos positions, pre-norm blocks, and a final LayerNorm without
/// affine, so that every latent vector has mean 0 and variance 1. Linear layers start Xavier-uniform with zero bias.
class VitEncoderImpl : public torch::nn::Module {
 public:
  explicit VitEncoderImpl(const VitEncoderOptions& options);

  /// Normalised images [B, 3, S, S] -> latents [B, hidden_size, S / patch, S / patch].
  torch::Tensor forward(const torch::Tensor& images);
  /// Patch tokens with positions [B, N, D], before the blocks.
  torch::Tensor embed(const torch::Tensor& images);
  /// Blocks and final norm over any subset of embedded tokens [B, K, D].
  torch::Tensor encodeTokens(torch::Tensor tokens);

  std::int64_t side() const { return options_.image_size / options_.network.patch_size; }
  const VitEncoderOptions& options() const { return options_; }

 private:
  VitEncoderOptions options_;
  PatchEmbed patch_embed_{nullptr};
  torch::Tensor pos_embed_;
  std::vector<VitBlock> blocks_;
  TokenNorm norm_{nullptr};
};
TORCH_MODULE(VitEncoder);

/// Tokens [B, h * w, C] row-major <-> latents [B, C, h, w] of a square grid.
torch::Tensor tokensToLatents(const torch::Tensor& tokens);
torch::Tensor latentsToTokens(const torch::Tensor& latents);

}  // namespace meanflow::core
