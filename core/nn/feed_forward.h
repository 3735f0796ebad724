// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <torch/torch.h>

namespace meanflow::core {

/// Hidden width of SwiGLU: trunc((2/3) * trunc(width * mlp_ratio)); 3072 for (1152, 4).
std::int64_t swiGluWidth(std::int64_t width, double mlp_ratio);

/// w3(silu(u) * g) with (u, g) the halves of w12(x).
class SwiGluImpl : public torch::nn::Module {
 public:
  SwiGluImpl(std::int64_t width, std::int64_t hidden_width);
  torch::Tensor forward(const torch::Tensor& x);

  torch::nn::Linear w12{nullptr}, w3{nullptr};
};
TORCH_MODULE(SwiGlu);

enum class GeluKind { kExact, kTanh };

/// fc2(gelu(fc1(x))).
class GeluMlpImpl : public torch::nn::Module {
 public:
  GeluMlpImpl(std::int64_t width, std::int64_t hidden_width, GeluKind kind);
  torch::Tensor forward(const torch::Tensor& x);

  torch::nn::Linear fc1{nullptr}, fc2{nullptr};

 private:
  GeluKind kind_;
};
TORCH_MODULE(GeluMlp);

}  // namespace meanflow::core
