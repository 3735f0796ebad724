// SPDX-License-Identifier: Apache-2.0
#include "core/models/masked_autoencoder.h"

#include <algorithm>

#include "core/models/initialise.h"
#include "core/nn/block_scope.h"
#include "core/nn/positions.h"

namespace meanflow::core {

PatchMask choosePatches(const torch::Tensor& uniforms, double ratio) {
  TORCH_CHECK(ratio >= 0 && ratio < 1, "masked autoencoder: mask ratio must be in [0, 1), got ", ratio);
  const auto num_patches = uniforms.size(1);
  const auto num_kept =
      std::max<std::int64_t>(1, static_cast<std::int64_t>(static_cast<double>(num_patches) * (1 - ratio)));
  const auto order = uniforms.argsort(/*stable=*/true, /*dim=*/1, /*descending=*/false);
  return {.kept = order.slice(1, 0, num_kept),
          .restore = order.argsort(/*stable=*/true, /*dim=*/1, /*descending=*/false)};
}

MaskedAutoencoderImpl::MaskedAutoencoderImpl(VitEncoder encoder_in, std::int64_t decoder_width,
                                             std::int64_t decoder_depth) {
  const auto& options = encoder_in->options();
  const auto& network = options.network;
  decoder_embed_ = register_module("decoder_embed", torch::nn::Linear(network.hidden_size, decoder_width));
  mask_token = register_parameter("mask_token", torch::randn({1, 1, decoder_width}) * 0.02);
  decoder_pos_embed_ = register_buffer("decoder_pos_embed", sinCosPositions(decoder_width, encoder_in->side()));
  torch::nn::ModuleList list;
  for (std::int64_t i = 0; i < decoder_depth; ++i) {
    decoder_blocks_.emplace_back(decoder_width, network.num_heads, 4 * decoder_width);
    list->push_back(decoder_blocks_.back());
  }
  register_module("decoder_blocks", list);
  decoder_norm_ = register_module("decoder_norm", TokenNorm(NormKind::kLayerAffine, decoder_width, 1e-6));
  decoder_pred_ = register_module(
      "decoder_pred", torch::nn::Linear(decoder_width, network.patch_size * network.patch_size * options.num_channels));
  xavierLinears(*this);
  encoder = register_module("encoder", encoder_in);  // last: its own start stays
}

torch::Tensor MaskedAutoencoderImpl::fillIn(const torch::Tensor& encoded, const PatchMask& mask) {
  const auto kept = decoder_embed_(encoded);
  const auto num_masked = mask.restore.size(1) - kept.size(1);
  const auto all = torch::cat({kept, mask_token.expand({kept.size(0), num_masked, -1})}, 1);
  return all.gather(1, mask.restore.unsqueeze(-1).expand({-1, -1, all.size(2)})) + decoder_pos_embed_;
}

torch::Tensor MaskedAutoencoderImpl::forward(const torch::Tensor& images, const PatchMask& mask) {
  const auto tokens = encoder->embed(images);
  const auto kept = tokens.gather(1, mask.kept.unsqueeze(-1).expand({-1, -1, tokens.size(2)}));
  auto h = fillIn(encoder->encodeTokens(kept), mask);
  std::int64_t number = 0;
  for (auto& block : decoder_blocks_) h = inBlock("decoder_blocks", number++, [&] { return block(h); });
  return unpatchify(decoder_pred_(decoder_norm_(h)), encoder->options().network.patch_size);
}

torch::Tensor MaskedAutoencoderImpl::loss(const torch::Tensor& images, const torch::Tensor& uniforms, double ratio) {
  return (forward(images, choosePatches(uniforms, ratio)) - images).abs().mean();
}

}  // namespace meanflow::core
