// SPDX-License-Identifier: Apache-2.0
#include "core/models/vit_encoder.h"

#include "core/models/initialise.h"
#include "core/nn/block_scope.h"
#include "core/nn/positions.h"

namespace meanflow::core {

VitEncoderImpl::VitEncoderImpl(const VitEncoderOptions& options) : options_(options) {
  const auto& network = options_.network;
  TORCH_CHECK(options_.image_size % network.patch_size == 0, "ViT encoder: image_size ", options_.image_size,
              " is not a multiple of patch_size ", network.patch_size);
  const auto width = network.hidden_size;
  patch_embed_ = register_module("patch_embed", PatchEmbed(options_.num_channels, network.patch_size, width));
  pos_embed_ = register_buffer("pos_embed", sinCosPositions(width, side()));
  const auto hidden = static_cast<std::int64_t>(static_cast<double>(width) * network.mlp_ratio);
  torch::nn::ModuleList list;
  for (std::int64_t i = 0; i < network.depth; ++i) {
    blocks_.emplace_back(width, network.num_heads, hidden);
    list->push_back(blocks_.back());
  }
  register_module("blocks", list);
  norm_ = register_module("norm", TokenNorm(NormKind::kLayer, width, 1e-6));

  const torch::NoGradGuard no_grad;
  xavierLinears(*this);
  auto flat = patch_embed_->proj->weight.flatten(1);
  torch::nn::init::xavier_uniform_(flat);
  torch::nn::init::zeros_(patch_embed_->proj->bias);
}

torch::Tensor VitEncoderImpl::embed(const torch::Tensor& images) {
  TORCH_CHECK(images.dim() == 4 && images.size(2) == options_.image_size && images.size(3) == options_.image_size,
              "ViT encoder: expected images of ", options_.image_size, "x", options_.image_size, ", got ",
              images.sizes());
  return patch_embed_(patchify(images, options_.network.patch_size)) + pos_embed_;
}

torch::Tensor VitEncoderImpl::encodeTokens(torch::Tensor tokens) {
  std::int64_t number = 0;  // named as in the masked autoencoder, where it trains
  for (auto& block : blocks_) tokens = inBlock("encoder.blocks", number++, [&] { return block(tokens); });
  return norm_(tokens);
}

torch::Tensor VitEncoderImpl::forward(const torch::Tensor& images) {
  return tokensToLatents(encodeTokens(embed(images)));
}

torch::Tensor tokensToLatents(const torch::Tensor& tokens) { return unpatchify(tokens, 1); }
torch::Tensor latentsToTokens(const torch::Tensor& latents) { return patchify(latents, 1); }

}  // namespace meanflow::core
