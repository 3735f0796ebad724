// SPDX-License-Identifier: Apache-2.0
#include "core/models/ddt.h"

#include "core/models/initialise.h"
#include "core/nn/block_scope.h"

namespace meanflow::core {
namespace {

DdtBlockOptions blockOptions(const base::DdtConfig& network, std::size_t part) {
  return {.width = network.hidden_size[part],
          .num_heads = network.num_heads.size() == 1 ? network.num_heads[0] : network.num_heads[part],
          .mlp_ratio = network.mlp_ratio,
          .use_qknorm = network.use_qknorm,
          .use_swiglu = network.use_swiglu,
          .use_rmsnorm = network.use_rmsnorm};
}

}  // namespace

DiTwDDTHeadImpl::DiTwDDTHeadImpl(const DdtOptions& options) : options_(options) {
  const auto& network = options_.network;
  TORCH_CHECK(network.hidden_size.size() == 2 && network.depth.size() == 2,
              "DiT-DH: hidden_size and depth need two values, encoder part and head; got ", network.hidden_size.size(),
              " and ", network.depth.size());
  TORCH_CHECK(network.num_heads.size() == 1 || network.num_heads.size() == 2,
              "DiT-DH: num_heads needs one value or two, got ", network.num_heads.size());
  const auto p = network.patch_size, C = options_.in_channels;
  TORCH_CHECK(p > 0 && options_.input_size % p == 0, "DiT-DH: input_size ", options_.input_size,
              " is not a multiple of patch_size ", p);
  const auto encoder = blockOptions(network, 0), head = blockOptions(network, 1);
  const auto side = options_.input_size / p;

  x_embedder = register_module("x_embedder", PatchEmbed(C, p, head.width));
  s_embedder = register_module("s_embedder", PatchEmbed(C, p, encoder.width));
  if (encoder.width != head.width) {
    s_projector = register_module("s_projector", torch::nn::Linear(encoder.width, head.width));
  }
  t_embedder = register_module("t_embedder", FourierTimeEmbedding(encoder.width));
  if (options_.has_r_embedder) r_embedder = register_module("r_embedder", FourierTimeEmbedding(encoder.width));
  y_embedder = register_module("y_embedder",
                               LabelEmbedding(options_.num_classes, options_.class_dropout_prob > 0, encoder.width));
  if (network.use_pos_embed) {
    pos_embed = register_parameter("pos_embed", sinCosPositions(encoder.width, side), /*requires_grad=*/false);
  }
  if (network.use_rope) {
    encoder_rope_ = register_module("enc_feat_rope", RotaryEmbedding(encoder.width / encoder.num_heads, side));
    head_rope_ = register_module("dec_feat_rope", RotaryEmbedding(head.width / head.num_heads, side));
  }
  torch::nn::ModuleList blocks;
  for (std::int64_t i = 0; i < network.depth[0]; ++i) encoder_blocks_.emplace_back(encoder);
  for (std::int64_t i = 0; i < network.depth[1]; ++i) head_blocks_.emplace_back(head);
  for (const auto& block : encoder_blocks_) blocks->push_back(block);
  for (const auto& block : head_blocks_) blocks->push_back(block);
  register_module("blocks", blocks);
  final_layer_ = register_module("final_layer", FinalLayer(head.width, p * p * C, network.use_rmsnorm));
  initialiseWeights();
}

void DiTwDDTHeadImpl::initialiseWeights() {
  const torch::NoGradGuard no_grad;
  initialiseEmbedders({x_embedder, s_embedder}, y_embedder, t_embedder);  // r_embedder keeps the library's default
  for (auto& block : encoder_blocks_) zeroModulation(block->adaLN_modulation);
  for (auto& block : head_blocks_) zeroModulation(block->adaLN_modulation);
  zeroFinalLayer(final_layer_);
}

void DiTwDDTHeadImpl::setFourierAndPositionsTrainable(bool is_trainable) {
  t_embedder->W.set_requires_grad(is_trainable);
  if (r_embedder) r_embedder->W.set_requires_grad(is_trainable);
  if (pos_embed.defined()) pos_embed.set_requires_grad(is_trainable);
}

torch::Tensor DiTwDDTHeadImpl::encode(const torch::Tensor& patches, const torch::Tensor& time, const torch::Tensor& y) {
  auto s = inBlock("s_embedder", -1, [&] { return s_embedder(patches); });
  if (pos_embed.defined()) s = s + pos_embed;
  // The condition is activated twice in the reference: once here, once inside every block's modulation.
  const auto label = inBlock("y_embedder", -1, [&] { return y_embedder(y); });
  const auto condition = torch::silu(torch::silu(time + label));
  const auto factors = encoder_rope_ ? encoder_rope_->factors(s.size(1)) : torch::Tensor{};
  std::int64_t number = 0;
  for (auto& block : encoder_blocks_) s = inBlock("blocks", number++, [&] { return block(s, condition, factors); });
  return torch::silu(time.unsqueeze(1) + s);
}

torch::Tensor DiTwDDTHeadImpl::decode(const torch::Tensor& patches, const torch::Tensor& s) {
  const auto projected = s_projector ? inBlock("s_projector", -1, [&] { return s_projector(s); }) : s;
  const auto condition = torch::silu(projected);
  auto h = inBlock("x_embedder", -1, [&] { return x_embedder(patches); });
  const auto factors = head_rope_ ? head_rope_->factors(h.size(1)) : torch::Tensor{};
  auto number = static_cast<std::int64_t>(encoder_blocks_.size());
  for (auto& block : head_blocks_) h = inBlock("blocks", number++, [&] { return block(h, condition, factors); });
  const auto out = inBlock("final_layer", -1, [&] { return final_layer_(h, condition); });
  return unpatchify(out, options_.network.patch_size);
}

torch::Tensor DiTwDDTHeadImpl::evaluate(const torch::Tensor& z, const torch::Tensor& time, const torch::Tensor& y) {
  const auto patches = patchify(z, options_.network.patch_size);
  return decode(patches, encode(patches, time, y));
}

torch::Tensor DiTwDDTHeadImpl::velocity(const torch::Tensor& z, const torch::Tensor& t, const torch::Tensor& y) {
  TORCH_CHECK(!r_embedder, "DiT-DH: a student has no instantaneous velocity of its own; use averageVelocity");
  return evaluate(z, inBlock("t_embedder", -1, [&] { return t_embedder(t); }), y);
}

torch::Tensor DiTwDDTHeadImpl::velocityGivenS(const torch::Tensor& z, const torch::Tensor& /*t*/,
                                              const torch::Tensor& /*y*/, const torch::Tensor& s) {
  return decode(patchify(z, options_.network.patch_size), s);  // t and y act through s alone
}

torch::Tensor DiTwDDTHeadImpl::averageVelocity(const torch::Tensor& z, const torch::Tensor& r, const torch::Tensor& t,
                                               const torch::Tensor& y) {
  TORCH_CHECK(r_embedder, "DiT-DH: averageVelocity needs has_r_embedder");
  const auto interval = r.defined() ? t - r : t;
  const auto at_t = inBlock("t_embedder", -1, [&] { return t_embedder(t); });
  return evaluate(z, at_t + inBlock("r_embedder", -1, [&] { return r_embedder(interval); }), y);
}

VelocityField velocityField(DiTwDDTHead network) {
  return [network](const torch::Tensor& z, const torch::Tensor& t, const torch::Tensor& y) mutable {
    return network->velocity(z, t, y);
  };
}

FlowMap flowMap(DiTwDDTHead network) {
  return [network](const torch::Tensor& z, const torch::Tensor& r, const torch::Tensor& t,
                   const torch::Tensor& y) mutable { return network->averageVelocity(z, r, t, y); };
}

}  // namespace meanflow::core
