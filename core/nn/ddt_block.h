// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "core/nn/attention.h"
#include "core/nn/feed_forward.h"

namespace meanflow::core {

struct DdtBlockOptions {
  std::int64_t width = 1152;
  std::int64_t num_heads = 16;
  double mlp_ratio = 4;
  bool use_qknorm = false;
  bool use_swiglu = true;
  bool use_rmsnorm = true;
};

/// Per-sample [B, K] or per-group [B, L, K] modulation rows made to broadcast over N tokens: one row stays one, L rows
/// are each repeated N / L times consecutively. Throws where L does not divide N.
torch::Tensor spreadOverTokens(const torch::Tensor& modulation, std::int64_t num_tokens);

/// Transformer block with adaLN-zero modulation: x += gate_a Attn(norm1(x)(1 + scale_a) + shift_a), then the same with
/// the MLP. Official keys: norm1, norm2, attn, mlp, adaLN_modulation.1.
class DdtBlockImpl : public torch::nn::Module {
 public:
  explicit DdtBlockImpl(const DdtBlockOptions& options);

  /// x [B, N, D]; `activated_condition` is SiLU(c), c [B, D] or [B, L, D]: applied by the caller once for all blocks.
  torch::Tensor forward(const torch::Tensor& x, const torch::Tensor& activated_condition,
                        const torch::Tensor& rotary_factors);

  TokenNorm norm1{nullptr}, norm2{nullptr};
  Attention attn{nullptr};
  SwiGlu swiglu{nullptr};     ///< Registered as `mlp` when use_swiglu.
  GeluMlp gelu_mlp{nullptr};  ///< Registered as `mlp` otherwise.
  torch::nn::Sequential adaLN_modulation{nullptr};
};
TORCH_MODULE(DdtBlock);

/// Linear(norm_final(x)(1 + scale) + shift); no gate.
class FinalLayerImpl : public torch::nn::Module {
 public:
  FinalLayerImpl(std::int64_t width, std::int64_t out_features, bool use_rmsnorm);
  /// As DdtBlock::forward; returns [B, N, out_features].
  torch::Tensor forward(const torch::Tensor& x, const torch::Tensor& activated_condition);

  TokenNorm norm_final{nullptr};
  torch::nn::Linear linear{nullptr};
  torch::nn::Sequential adaLN_modulation{nullptr};
};
TORCH_MODULE(FinalLayer);

/// Sets weight and bias of the modulation's Linear to zero: a block then passes its input through unchanged.
void zeroModulation(torch::nn::Sequential& adaLN_modulation);

}  // namespace meanflow::core
