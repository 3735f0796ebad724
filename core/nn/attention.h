// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>

#include "core/nn/normalization.h"

namespace meanflow::core {

/// softmax(q k^T / sqrt(d)) v with q, k, v [B, heads, N, d] -> [B, N, heads * d]. Short sequences on a CPU go through
/// plain batched products (as fast there as the fused kernel, and they have a forward derivative); otherwise PyTorch's
/// scaled_dot_product_attention, unfused where one of the three has a forward-mode tangent: fused kernels know none.
torch::Tensor attend(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v);

/// Multi-head self-attention with one fused projection `qkv`, optional per-head `q_norm`/`k_norm`, and `proj`.
class AttentionImpl : public torch::nn::Module {
 public:
  /// `qk_norm`: kRms (eps 1e-6) or kLayerAffine (eps 1e-5) over the head dimension.
  AttentionImpl(std::int64_t width, std::int64_t num_heads, std::optional<NormKind> qk_norm = std::nullopt);

  /// x [B, N, D] -> [B, N, D]; `rotary_factors` from RotaryEmbedding::factors, or undefined for none.
  torch::Tensor forward(const torch::Tensor& x, const torch::Tensor& rotary_factors = {});

  torch::nn::Linear qkv{nullptr}, proj{nullptr};
  TokenNorm q_norm{nullptr}, k_norm{nullptr};

 private:
  std::int64_t num_heads_;
};
TORCH_MODULE(Attention);

}  // namespace meanflow::core
