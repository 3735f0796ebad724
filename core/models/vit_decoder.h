// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <vector>

#include "core/base/config/run_config.h"
#include "core/nn/named_vit_layer.h"

namespace meanflow::core {

struct VitDecoderOptions {
  base::VitConfig network;  ///< patch_size: pixels per token side in the output.
  std::int64_t latent_channels = 768;
  std::int64_t latent_side = 16;       ///< Side of the base token grid.
  std::int64_t intermediate_size = 0;  ///< MLP width; 0 = hidden_size * mlp_ratio.
  std::int64_t num_channels = 3;
  double layer_norm_eps = 1e-12;
  bool qkv_bias = true;
  GeluKind activation = GeluKind::kExact;
  std::string output_head = "patch";  ///< "patch": linear to pixels, as in RAE; "conv": see ConvHead.
  std::int64_t head_channels = 24;
};

/// Corrects the linear patch prediction with 3x3 convolutions that see across patch borders, where the linear head
/// leaves seams: token features are shuffled to half resolution, convolved, shuffled to pixels, joined by the patch
/// prediction and convolved twice. The last convolution starts at zero, so training starts from the linear head.
class ConvHeadImpl : public torch::nn::Module {
 public:
  ConvHeadImpl(std::int64_t width, std::int64_t patch_size, std::int64_t channels, std::int64_t num_channels);
  /// features [B, N, D] and patch prediction [B, 3, S, S] -> [B, 3, S, S].
  torch::Tensor forward(const torch::Tensor& features, const torch::Tensor& prediction);

 private:
  std::int64_t patch_size_;
  torch::nn::Linear embed_{nullptr};
  torch::nn::Conv2d half_{nullptr}, full_{nullptr}, out_{nullptr};
};
TORCH_MODULE(ConvHead);

/// ViT decoder of RAE (GeneralDecoder), official state-dict keys; the conv head adds `conv_head.*`.
class VitDecoderImpl : public torch::nn::Module {
 public:
  explicit VitDecoderImpl(const VitDecoderOptions& options);

  /// Latents [B, C, h, w], not normalised -> images in the encoder's normalised units [B, 3, S, S].
  torch::Tensor forward(const torch::Tensor& latents);
  /// Tokens [B, n, C] -> patches [B, N, p * p * 3] of the linear head; n != N is resized bilinearly to the base grid.
  torch::Tensor logits(const torch::Tensor& tokens, bool drop_cls_token = false);

  /// decoder_pred.weight: the layer that the adaptive GAN weight looks at.
  const torch::Tensor& lastLayerWeight() const { return pred_->weight; }
  const VitDecoderOptions& options() const { return options_; }

 private:
  torch::Tensor features(torch::Tensor tokens, bool drop_cls_token);

  VitDecoderOptions options_;
  torch::nn::Linear embed_{nullptr}, pred_{nullptr};
  torch::Tensor pos_embed_, cls_token_;
  std::vector<NamedVitLayer> layers_;
  TokenNorm norm_{nullptr};
  ConvHead conv_head_{nullptr};
};
TORCH_MODULE(VitDecoder);

}  // namespace meanflow::core
