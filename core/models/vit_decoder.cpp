// SPDX-License-Identifier: Apache-2.0
#include "core/models/vit_decoder.h"

#include <cmath>

#include "core/nn/block_scope.h"
#include "core/nn/embeddings.h"
#include "core/nn/positions.h"

namespace meanflow::core {

ConvHeadImpl::ConvHeadImpl(std::int64_t width, std::int64_t patch_size, std::int64_t channels,
                           std::int64_t num_channels)
    : patch_size_(patch_size) {
  TORCH_CHECK(patch_size % 2 == 0 && channels % 4 == 0,
              "conv output head: patch_size must be even and head_channels a multiple of 4, got ", patch_size, " and ",
              channels);
  const auto conv = [](std::int64_t in, std::int64_t out) {
    return torch::nn::Conv2d(torch::nn::Conv2dOptions(in, out, 3).padding(1));
  };
  const auto half_patch = patch_size / 2;
  embed_ = register_module("embed", torch::nn::Linear(width, half_patch * half_patch * channels));
  half_ = register_module("half", conv(channels, channels));
  full_ = register_module("full", conv(channels / 4 + num_channels, channels));
  out_ = register_module("out", conv(channels, num_channels));
  const torch::NoGradGuard no_grad;
  torch::nn::init::zeros_(out_->weight);
  torch::nn::init::zeros_(out_->bias);
}

torch::Tensor ConvHeadImpl::forward(const torch::Tensor& features, const torch::Tensor& prediction) {
  // Few channels: oneDNN's convolutions take 60 % of the time with channels last (one CPU thread, forward and
  // backward).
  constexpr auto kLast = at::MemoryFormat::ChannelsLast;
  const auto half = torch::relu(half_(unpatchify(embed_(features), patch_size_ / 2).contiguous(kLast)));
  const auto pixels = torch::cat({torch::pixel_shuffle(half, 2), prediction}, 1).contiguous(kLast);
  return prediction + out_(torch::relu(full_(pixels)));
}

VitDecoderImpl::VitDecoderImpl(const VitDecoderOptions& options) : options_(options) {
  const auto& network = options_.network;
  const auto width = network.hidden_size, p = network.patch_size;
  TORCH_CHECK(options_.output_head == "patch" || options_.output_head == "conv",
              "ViT decoder: output_head must be patch or conv, got ", options_.output_head);
  auto hidden = options_.intermediate_size;
  if (hidden == 0) hidden = static_cast<std::int64_t>(static_cast<double>(width) * network.mlp_ratio);
  embed_ = register_module("decoder_embed", torch::nn::Linear(options_.latent_channels, width));
  const auto positions = sinCosPositions(width, options_.latent_side);
  pos_embed_ = register_parameter("decoder_pos_embed", torch::cat({torch::zeros({1, 1, width}), positions}, 1),
                                  /*requires_grad=*/false);
  cls_token_ = register_parameter("trainable_cls_token", torch::zeros({1, 1, width}));
  const VitLayerOptions layer{.width = width,
                              .num_heads = network.num_heads,
                              .hidden_width = hidden,
                              .layer_norm_eps = options_.layer_norm_eps,
                              .qkv_bias = options_.qkv_bias,
                              .activation = options_.activation};
  torch::nn::ModuleList list;
  for (std::int64_t i = 0; i < network.depth; ++i) {
    layers_.emplace_back(layer, vitMaeLayerNames());
    list->push_back(layers_.back());
  }
  register_module("decoder_layers", list);
  norm_ = register_module("decoder_norm", TokenNorm(NormKind::kLayerAffine, width, options_.layer_norm_eps));
  pred_ = register_module("decoder_pred", torch::nn::Linear(width, p * p * options_.num_channels));
  if (options_.output_head == "conv") {
    conv_head_ = register_module("conv_head", ConvHead(width, p, options_.head_channels, options_.num_channels));
  }
}

torch::Tensor VitDecoderImpl::features(torch::Tensor tokens, bool drop_cls_token) {
  if (drop_cls_token) tokens = tokens.slice(1, 1);
  auto h = embed_(tokens);
  const auto side = options_.latent_side;
  if (h.size(1) != side * side) {
    const auto grid = at::upsample_bilinear2d(unpatchify(h, 1), {side, side}, /*align_corners=*/false);
    h = patchify(grid, 1);
  }
  h = torch::cat({cls_token_.expand({h.size(0), 1, -1}), h}, 1) + pos_embed_;
  std::int64_t number = 0;
  for (auto& layer : layers_) h = inBlock("decoder_layers", number++, [&] { return layer(h); });
  return norm_(h).slice(1, 1);
}

torch::Tensor VitDecoderImpl::logits(const torch::Tensor& tokens, bool drop_cls_token) {
  return pred_(features(tokens, drop_cls_token));
}

torch::Tensor VitDecoderImpl::forward(const torch::Tensor& latents) {
  const auto h = features(patchify(latents, 1), false);
  const auto predicted = inBlock("decoder_pred", -1, [&] { return pred_(h); });
  const auto prediction = unpatchify(predicted, options_.network.patch_size);
  return conv_head_ ? inBlock("conv_head", -1, [&] { return conv_head_(h, prediction); }) : prediction;
}

}  // namespace meanflow::core
