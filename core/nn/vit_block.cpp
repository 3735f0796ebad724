// SPDX-License-Identifier: Apache-2.0
#include "core/nn/vit_block.h"

namespace meanflow::core {

VitBlockImpl::VitBlockImpl(std::int64_t width, std::int64_t num_heads, std::int64_t hidden_width, double eps) {
  norm1 = register_module("norm1", TokenNorm(NormKind::kLayerAffine, width, eps));
  attn = register_module("attn", Attention(width, num_heads));
  norm2 = register_module("norm2", TokenNorm(NormKind::kLayerAffine, width, eps));
  mlp = register_module("mlp", GeluMlp(width, hidden_width, GeluKind::kExact));
}

torch::Tensor VitBlockImpl::forward(const torch::Tensor& x) {
  const auto h = x + attn(norm1(x));
  return h + mlp(norm2(h));
}

}  // namespace meanflow::core
