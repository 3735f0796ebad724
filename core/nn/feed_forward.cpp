// SPDX-License-Identifier: Apache-2.0
#include "core/nn/feed_forward.h"

namespace meanflow::core {

std::int64_t swiGluWidth(std::int64_t width, double mlp_ratio) {
  const auto full = static_cast<std::int64_t>(static_cast<double>(width) * mlp_ratio);
  return static_cast<std::int64_t>(2.0 / 3.0 * static_cast<double>(full));
}

SwiGluImpl::SwiGluImpl(std::int64_t width, std::int64_t hidden_width) {
  w12 = register_module("w12", torch::nn::Linear(width, 2 * hidden_width));
  w3 = register_module("w3", torch::nn::Linear(hidden_width, width));
}

torch::Tensor SwiGluImpl::forward(const torch::Tensor& x) {
  const auto halves = w12(x).chunk(2, -1);
  return w3(torch::silu(halves[0]) * halves[1]);
}

GeluMlpImpl::GeluMlpImpl(std::int64_t width, std::int64_t hidden_width, GeluKind kind) : kind_(kind) {
  fc1 = register_module("fc1", torch::nn::Linear(width, hidden_width));
  fc2 = register_module("fc2", torch::nn::Linear(hidden_width, width));
}

torch::Tensor GeluMlpImpl::forward(const torch::Tensor& x) {
  return fc2(at::gelu(fc1(x), kind_ == GeluKind::kTanh ? "tanh" : "none"));
}

}  // namespace meanflow::core
