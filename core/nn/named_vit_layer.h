// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <string_view>

#include "core/nn/feed_forward.h"
#include "core/nn/normalization.h"

namespace meanflow::core {

/// Where a layer's parameters lie below it, as dotted state-dict names. Published ViT families share the arithmetic and
/// differ in these.
struct VitLayerNames {
  std::string_view norm1, query, key, value, attention_out, norm2;
  std::string_view fc1, fc2;        ///< With use_swiglu: the fused input (weights_in) and the output projection.
  std::string_view scale1, scale2;  ///< Layer scale; empty where the family has none.
};
/// vit_mae, and with it RAE's decoder: layernorm_before, attention.attention.query, ..., output.dense.
const VitLayerNames& vitMaeLayerNames();
/// dinov2_with_registers: norm1, attention.attention.query, ..., mlp.fc2, with layer scale.
const VitLayerNames& dinov2LayerNames(bool use_swiglu);
/// siglip: layer_norm1, self_attn.q_proj, ..., mlp.fc2.
const VitLayerNames& siglipLayerNames();

struct VitLayerOptions {
  std::int64_t width = 768;
  std::int64_t num_heads = 12;
  std::int64_t hidden_width = 3072;  ///< Of the MLP; with use_swiglu of each half.
  double layer_norm_eps = 1e-6;
  bool qkv_bias = true;
  bool use_swiglu = false;  ///< fc2(silu(u) * g) with (u, g) the halves of fc1(x).
  GeluKind activation = GeluKind::kExact;
  double layer_scale = 1;  ///< Start of the layer scales where the family has them.
};

/// Pre-norm transformer layer under given parameter names: x += s1 * attention(norm1(x)); x += s2 * mlp(norm2(x)).
class NamedVitLayerImpl : public torch::nn::Module {
 public:
  NamedVitLayerImpl(const VitLayerOptions& options, const VitLayerNames& names);
  torch::Tensor forward(const torch::Tensor& x);  ///< [B, N, D] -> [B, N, D]

 private:
  VitLayerOptions options_;
  TokenNorm norm1_{nullptr}, norm2_{nullptr};
  torch::nn::Linear query_{nullptr}, key_{nullptr}, value_{nullptr}, attention_out_{nullptr}, fc1_{nullptr},
      fc2_{nullptr};
  torch::Tensor scale1_, scale2_;
};
TORCH_MODULE(NamedVitLayer);

/// Registers `child` under a dotted path below `root`, making the modules in between where they do not exist yet.
template <class Module>
Module registerAt(torch::nn::Module& root, std::string_view path, Module child);
/// The same for a parameter.
torch::Tensor registerParameterAt(torch::nn::Module& root, std::string_view path, const torch::Tensor& value,
                                  bool requires_grad = true);

namespace detail {
/// The module at the path up to its last dot; `name` becomes what follows it.
torch::nn::Module& parentOf(torch::nn::Module& root, std::string_view path, std::string& name);
}  // namespace detail

template <class Module>
Module registerAt(torch::nn::Module& root, std::string_view path, Module child) {
  std::string name;
  return detail::parentOf(root, path, name).register_module(name, child);
}

}  // namespace meanflow::core
