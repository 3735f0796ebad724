// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "core/nn/attention.h"
#include "core/nn/feed_forward.h"

namespace meanflow::core {

/// Pre-norm transformer block: x += attn(norm1(x)); x += mlp(norm2(x)), exact GELU, LayerNorm with affine.
class VitBlockImpl : public torch::nn::Module {
 public:
  VitBlockImpl(std::int64_t width, std::int64_t num_heads, std::int64_t hidden_width, double eps = 1e-6);
  torch::Tensor forward(const torch::Tensor& x);  ///< [B, N, D] -> [B, N, D]

  TokenNorm norm1{nullptr}, norm2{nullptr};
  Attention attn{nullptr};
  GeluMlp mlp{nullptr};
};
TORCH_MODULE(VitBlock);

}  // namespace meanflow::core
