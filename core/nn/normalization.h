// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <torch/torch.h>

namespace meanflow::core {

/// x / sqrt(mean(x^2 over the last axis) + eps), computed in float32 (float64 for float64 input), then times `weight`.
torch::Tensor rmsNorm(const torch::Tensor& x, const torch::Tensor& weight, double eps = 1e-6);

enum class NormKind {
  kRms,          ///< RMSNorm with `weight`.
  kLayer,        ///< LayerNorm without parameters.
  kLayerAffine,  ///< LayerNorm with `weight` and `bias`.
};

/// Normalisation over the last axis; registers the parameters its kind has under the official names.
class TokenNormImpl : public torch::nn::Module {
 public:
  TokenNormImpl(NormKind kind, std::int64_t width, double eps);
  torch::Tensor forward(const torch::Tensor& x) const;

  torch::Tensor weight, bias;  ///< Undefined where the kind has none.

 private:
  NormKind kind_;
  std::int64_t width_;
  double eps_;
};
TORCH_MODULE(TokenNorm);

}  // namespace meanflow::core
