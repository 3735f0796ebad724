// SPDX-License-Identifier: Apache-2.0
#include "core/models/lightning_dit.h"

#include "core/models/initialise.h"
#include "core/nn/block_scope.h"

namespace meanflow::core {

LightningDitImpl::LightningDitImpl(const LightningDitOptions& options) : options_(options) {
  const auto width = options_.hidden_size, p = options_.patch_size;
  TORCH_CHECK(p > 0 && options_.input_size % p == 0, "LightningDiT: input_size ", options_.input_size,
              " is not a multiple of patch_size ", p);
  const auto side = options_.input_size / p;
  x_embedder = register_module("x_embedder", PatchEmbed(options_.in_channels, p, width));
  t_embedder = register_module("t_embedder", FourierTimeEmbedding(width));
  y_embedder =
      register_module("y_embedder", LabelEmbedding(options_.num_classes, options_.class_dropout_prob > 0, width));
  pos_embed = register_parameter("pos_embed", sinCosPositions(width, side), /*requires_grad=*/false);
  if (options_.use_rope) rope_ = register_module("feat_rope", RotaryEmbedding(width / options_.num_heads, side));
  torch::nn::ModuleList list;
  for (std::int64_t i = 0; i < options_.depth; ++i) {
    blocks_.emplace_back(DdtBlockOptions{.width = width,
                                         .num_heads = options_.num_heads,
                                         .mlp_ratio = options_.mlp_ratio,
                                         .use_qknorm = options_.use_qknorm,
                                         .use_swiglu = options_.use_swiglu,
                                         .use_rmsnorm = options_.use_rmsnorm});
    list->push_back(blocks_.back());
  }
  register_module("blocks", list);
  const auto out_channels = options_.in_channels * (options_.learn_sigma ? 2 : 1);
  final_layer_ = register_module("final_layer", FinalLayer(width, p * p * out_channels, options_.use_rmsnorm));

  xavierLinears(*this);
  initialiseEmbedders({x_embedder}, y_embedder, t_embedder);
  for (auto& block : blocks_) zeroModulation(block->adaLN_modulation);
  zeroFinalLayer(final_layer_);
}

torch::Tensor LightningDitImpl::velocity(const torch::Tensor& z, const torch::Tensor& t, const torch::Tensor& y) {
  const auto condition = torch::silu(t_embedder(t) + y_embedder(y));
  auto h = x_embedder(patchify(z, options_.patch_size)) + pos_embed;
  const auto factors = rope_ ? rope_->factors(h.size(1)) : torch::Tensor{};
  std::int64_t number = 0;
  for (auto& block : blocks_) h = inBlock("blocks", number++, [&] { return block(h, condition, factors); });
  const auto last = inBlock("final_layer", -1, [&] { return final_layer_(h, condition); });
  const auto out = unpatchify(last, options_.patch_size);
  return options_.learn_sigma ? out.chunk(2, 1)[0] : out;
}

void LightningDitImpl::setFourierAndPositionsTrainable(bool is_trainable) {
  t_embedder->W.set_requires_grad(is_trainable);
  pos_embed.set_requires_grad(is_trainable);
}

VelocityField velocityField(LightningDit network) {
  return [network](const torch::Tensor& z, const torch::Tensor& t, const torch::Tensor& y) mutable {
    return network->velocity(z, t, y);
  };
}

}  // namespace meanflow::core
