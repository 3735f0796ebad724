// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "core/models/vit_encoder.h"

namespace meanflow::core {

/// Which patches the encoder sees: `kept` [B, K] token indices, `restore` [B, N] the place of every patch in (kept
/// patches, then masked ones).
struct PatchMask {
  torch::Tensor kept;
  torch::Tensor restore;
};

/// Keeps the K = max(1, floor(N (1 - ratio))) patches of each row with the smallest `uniforms` [B, N], ratio in [0, 1).
PatchMask choosePatches(const torch::Tensor& uniforms, double ratio);

/// Masked autoencoder (after arXiv:2111.06377): the encoder sees the kept patches, a light decoder fills mask tokens in
/// and predicts the pixels of all patches. Only the encoder is kept after training.
class MaskedAutoencoderImpl : public torch::nn::Module {
 public:
  MaskedAutoencoderImpl(VitEncoder encoder, std::int64_t decoder_width, std::int64_t decoder_depth);

  /// Normalised images [B, 3, S, S] -> their reconstruction in the same units.
  torch::Tensor forward(const torch::Tensor& images, const PatchMask& mask);
  /// Mean absolute error over all patches, masked or not. All randomness comes from `uniforms` [B, N].
  torch::Tensor loss(const torch::Tensor& images, const torch::Tensor& uniforms, double ratio);
  /// Encoded kept tokens [B, K, D] -> decoder input [B, N, W] in image order, mask tokens in the gaps, with positions.
  torch::Tensor fillIn(const torch::Tensor& encoded, const PatchMask& mask);

  VitEncoder encoder{nullptr};
  torch::Tensor mask_token;  ///< [1, 1, W]

 private:
  torch::nn::Linear decoder_embed_{nullptr}, decoder_pred_{nullptr};
  torch::Tensor decoder_pos_embed_;
  std::vector<VitBlock> decoder_blocks_;
  TokenNorm decoder_norm_{nullptr};
};
TORCH_MODULE(MaskedAutoencoder);

}  // namespace meanflow::core
