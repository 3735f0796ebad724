// SPDX-License-Identifier: Apache-2.0
//
// Parameters and multiply-accumulates (MAC) of every network this program builds or is compared with, counted layer by
// layer from its sizes. Conventions: one image, one call; a linear layer [in -> out] on T tokens is T in out MAC; a k x
// k convolution to H x W is H W k^2 in out; attention on T tokens of width D is 2 T^2 D (scores and mixing). Norms,
// activations, biases, embedding look-ups and interpolation are not counted. The papers' "GFLOPs" are the linear and
// convolution part (fvcore's count, which leaves fused attention out). Counts are doubles, exact up to 2^53.
#pragma once
#include <array>
#include <cstdint>
#include <string>

#include "core/base/config/run_config.h"

namespace meanflow::core {

struct NetworkCost {
  double linear_macs = 0;     ///< Linear and convolution layers.
  double attention_macs = 0;  ///< q k^T and softmax(.) v.
  double parameters = 0;      ///< All, with frozen ones (position tables, Fourier frequencies).
  double frozen = 0;          ///< Those of `parameters` that training does not touch.
  double kept_values = 0;     ///< Numbers a backward pass needs, fused attention assumed (estimate: memory_estimate.h).

  double macs() const { return linear_macs + attention_macs; }
};

/// DiT-DH (bytetriper/RAE src/stage2/models/DDT.py, and with is_student sony/mf-rae's DiTwDDTHead_MF). The head's
/// modulation is per token. patch_size > 1 counts the repaired form that core/models/ddt.h builds.
struct DdtShape {
  base::DdtConfig network = {};
  std::int64_t side = 16;       ///< Of the latent.
  std::int64_t channels = 768;  ///< Of the latent.
  std::int64_t num_classes = 1000;
  bool has_null_label = true;
  bool is_student = false;  ///< A second time embedder for t - r.
};
NetworkCost networkCost(const DdtShape& shape);

/// LightningDiT on RAE latents (bytetriper/RAE src/stage2/models/lightningDiT.py).
struct LightningDitShape {
  std::int64_t hidden_size = 1152, depth = 28, num_heads = 16;
  std::int64_t patch_size = 1, side = 16, channels = 768;
  double mlp_ratio = 4;
  std::int64_t num_classes = 1000;
  bool has_null_label = true;
  bool learn_sigma = false;
  bool use_qknorm = false, use_swiglu = true, use_rmsnorm = true;
};
NetworkCost networkCost(const LightningDitShape& shape);

/// DiT and SiT (facebookresearch/DiT, willisma/SiT) on SD-VAE latents; two time embedders make it the MeanFlow SiT
/// (zhuyu-cs/MeanFlow).
struct DitShape {
  std::int64_t hidden_size = 1152, depth = 28;
  std::int64_t patch_size = 2, side = 32, channels = 4;
  double mlp_ratio = 4;
  std::int64_t num_classes = 1000;
  bool learn_sigma = true;
  std::int64_t num_time_embedders = 1;
};
NetworkCost networkCost(const DitShape& shape);

/// A frozen ViT as published on the hub: parameters are those of the whole file (with a mask token or pooling head that
/// goes unused), MACs those of the tokens that become latents.
struct FrozenEncoderShape {
  std::string kind = "dinov2";  ///< dinov2 (class token, 4 registers), mae (class token) or siglip2 (neither).
  base::VitConfig network = {.patch_size = 14, .hidden_size = 768, .depth = 12, .num_heads = 12, .mlp_ratio = 4};
  std::int64_t input_size = 224;
};
NetworkCost networkCost(const FrozenEncoderShape& shape);

/// The ViT encoder of ours (core/models/vit_encoder.h): no class token, fixed positions that are no parameters.
struct OwnEncoderShape {
  base::VitConfig network = {};
  std::int64_t image_size = 32;
};
NetworkCost networkCost(const OwnEncoderShape& shape);

/// The encoder with its pre-training decoder at a share of masked patches; kept tokens are rounded down, at least 1.
struct MaskedAutoencoderShape {
  OwnEncoderShape encoder = {};
  std::int64_t decoder_width = 64, decoder_depth = 2;
  double mask_ratio = 0;
};
NetworkCost networkCost(const MaskedAutoencoderShape& shape);

/// ViT decoder of RAE (GeneralDecoder), with the linear patch head or our convolution head (core/models/vit_decoder.h).
struct VitDecoderShape {
  base::VitConfig network = {.patch_size = 16, .hidden_size = 1152, .depth = 28, .num_heads = 16, .mlp_ratio = 4};
  std::int64_t intermediate_size = 0;  ///< MLP width; 0 = hidden_size * mlp_ratio.
  std::int64_t latent_side = 16, latent_channels = 768;
  std::string output_head = "patch";
  std::int64_t head_channels = 24;
};
NetworkCost networkCost(const VitDecoderShape& shape);

/// One half of AutoencoderKL (stabilityai/sd-vae-ft-*). The 1x1 quant convolution next to it is in the MACs but, as in
/// the published counts, not in the parameters.
struct SdVaeShape {
  bool is_decoder = true;
  std::int64_t image_size = 256;
  std::array<std::int64_t, 4> widths = {128, 256, 512, 512};
  std::int64_t layers_per_block = 2;  ///< Of the encoder; the decoder has one more.
  std::int64_t latent_channels = 4;
};
NetworkCost networkCost(const SdVaeShape& shape);

/// The demo's judge (core/evaluation/judge.h).
struct JudgeShape {
  base::JudgeConfig network = {};
  std::int64_t image_size = 32, num_classes = 8;
};
NetworkCost networkCost(const JudgeShape& shape);

/// MACs of one forward-mode derivative together with its value: every linear layer runs twice, attention's two products
/// three times (product rule).
double jvpMacs(const NetworkCost& cost);

}  // namespace meanflow::core
