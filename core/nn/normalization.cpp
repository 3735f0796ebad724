// SPDX-License-Identifier: Apache-2.0
#include "core/nn/normalization.h"

namespace meanflow::core {

torch::Tensor rmsNorm(const torch::Tensor& x, const torch::Tensor& weight, double eps) {
  return at::rms_norm(x, {x.size(-1)}, weight, eps);
}

TokenNormImpl::TokenNormImpl(NormKind kind, std::int64_t width, double eps) : kind_(kind), width_(width), eps_(eps) {
  if (kind != NormKind::kLayer) weight = register_parameter("weight", torch::ones({width}));
  if (kind == NormKind::kLayerAffine) bias = register_parameter("bias", torch::zeros({width}));
}

torch::Tensor TokenNormImpl::forward(const torch::Tensor& x) const {
  if (kind_ == NormKind::kRms) return rmsNorm(x, weight, eps_);
  return at::layer_norm(x, {width_}, weight, bias, eps_);
}

}  // namespace meanflow::core
