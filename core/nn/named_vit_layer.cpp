// SPDX-License-Identifier: Apache-2.0
#include "core/nn/named_vit_layer.h"

#include "core/nn/attention.h"

namespace meanflow::core {
namespace {

/// The references nest layers in modules without parameters of their own (attention.attention, output...).
class Holder : public torch::nn::Module {};

}  // namespace

namespace detail {

torch::nn::Module& parentOf(torch::nn::Module& root, std::string_view path, std::string& name) {
  auto* parent = &root;
  while (true) {
    const auto dot = path.find('.');
    if (dot == std::string_view::npos) break;
    const std::string part(path.substr(0, dot));
    path.remove_prefix(dot + 1);
    const auto children = parent->named_children();
    const auto* found = children.find(part);
    parent = found ? found->get() : parent->register_module(part, std::make_shared<Holder>()).get();
  }
  name = path;
  return *parent;
}

}  // namespace detail

torch::Tensor registerParameterAt(torch::nn::Module& root, std::string_view path, const torch::Tensor& value,
                                  bool requires_grad) {
  std::string name;
  return detail::parentOf(root, path, name).register_parameter(name, value, requires_grad);
}

const VitLayerNames& vitMaeLayerNames() {
  static constexpr VitLayerNames names = {.norm1 = "layernorm_before",
                                          .query = "attention.attention.query",
                                          .key = "attention.attention.key",
                                          .value = "attention.attention.value",
                                          .attention_out = "attention.output.dense",
                                          .norm2 = "layernorm_after",
                                          .fc1 = "intermediate.dense",
                                          .fc2 = "output.dense",
                                          .scale1 = {},
                                          .scale2 = {}};
  return names;
}

const VitLayerNames& dinov2LayerNames(bool use_swiglu) {
  static constexpr VitLayerNames plain = {.norm1 = "norm1",
                                          .query = "attention.attention.query",
                                          .key = "attention.attention.key",
                                          .value = "attention.attention.value",
                                          .attention_out = "attention.output.dense",
                                          .norm2 = "norm2",
                                          .fc1 = "mlp.fc1",
                                          .fc2 = "mlp.fc2",
                                          .scale1 = "layer_scale1.lambda1",
                                          .scale2 = "layer_scale2.lambda1"};
  static constexpr VitLayerNames gated = [] {
    auto names = plain;
    names.fc1 = "mlp.weights_in";
    names.fc2 = "mlp.weights_out";
    return names;
  }();
  return use_swiglu ? gated : plain;
}

const VitLayerNames& siglipLayerNames() {
  static constexpr VitLayerNames names = {.norm1 = "layer_norm1",
                                          .query = "self_attn.q_proj",
                                          .key = "self_attn.k_proj",
                                          .value = "self_attn.v_proj",
                                          .attention_out = "self_attn.out_proj",
                                          .norm2 = "layer_norm2",
                                          .fc1 = "mlp.fc1",
                                          .fc2 = "mlp.fc2",
                                          .scale1 = {},
                                          .scale2 = {}};
  return names;
}

NamedVitLayerImpl::NamedVitLayerImpl(const VitLayerOptions& options, const VitLayerNames& names) : options_(options) {
  const auto width = options.width, hidden = options.hidden_width;
  TORCH_CHECK(options.num_heads > 0 && width % options.num_heads == 0, "ViT layer: hidden_size ", width,
              " is not a multiple of num_heads ", options.num_heads);
  const auto norm = [&] { return TokenNorm(NormKind::kLayerAffine, width, options.layer_norm_eps); };
  const auto projection = [&] {
    return torch::nn::Linear(torch::nn::LinearOptions(width, width).bias(options.qkv_bias));
  };
  norm1_ = registerAt(*this, names.norm1, norm());
  query_ = registerAt(*this, names.query, projection());
  key_ = registerAt(*this, names.key, projection());
  value_ = registerAt(*this, names.value, projection());
  attention_out_ = registerAt(*this, names.attention_out, torch::nn::Linear(width, width));
  if (!names.scale1.empty())
    scale1_ = registerParameterAt(*this, names.scale1, torch::full({width}, options.layer_scale));
  norm2_ = registerAt(*this, names.norm2, norm());
  fc1_ = registerAt(*this, names.fc1, torch::nn::Linear(width, options.use_swiglu ? 2 * hidden : hidden));
  fc2_ = registerAt(*this, names.fc2, torch::nn::Linear(hidden, width));
  if (!names.scale2.empty())
    scale2_ = registerParameterAt(*this, names.scale2, torch::full({width}, options.layer_scale));
}

torch::Tensor NamedVitLayerImpl::forward(const torch::Tensor& x) {
  const auto normed = norm1_(x);
  const auto heads = [&](torch::nn::Linear& linear) {
    return linear(normed).unflatten(-1, {options_.num_heads, -1}).transpose(1, 2);
  };
  const auto attended = attention_out_(attend(heads(query_), heads(key_), heads(value_)));
  const auto h = x + (scale1_.defined() ? attended * scale1_ : attended);
  auto hidden = fc1_(norm2_(h));
  if (options_.use_swiglu) {
    const auto halves = hidden.chunk(2, -1);
    hidden = torch::silu(halves[0]) * halves[1];
  } else {
    hidden = at::gelu(hidden, options_.activation == GeluKind::kTanh ? "tanh" : "none");
  }
  const auto out = fc2_(hidden);
  return h + (scale2_.defined() ? out * scale2_ : out);
}

}  // namespace meanflow::core
