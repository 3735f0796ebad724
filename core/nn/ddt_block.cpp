// SPDX-License-Identifier: Apache-2.0
#include "core/nn/ddt_block.h"

namespace meanflow::core {
namespace {

torch::Tensor modulate(const torch::Tensor& x, const torch::Tensor& shift, const torch::Tensor& scale) {
  return torch::addcmul(shift, x, scale + 1);
}

// SiLU stays registered so that the Linear keeps the official index 1; callers apply the activation themselves.
torch::nn::Sequential makeModulation(std::int64_t width, std::int64_t num_chunks) {
  return torch::nn::Sequential(torch::nn::SiLU(), torch::nn::Linear(width, num_chunks * width));
}

std::vector<torch::Tensor> modulationChunks(torch::nn::Sequential& adaLN_modulation, const torch::Tensor& condition,
                                            std::int64_t num_tokens, std::int64_t num_chunks) {
  const auto rows = adaLN_modulation->ptr<torch::nn::LinearImpl>(1)->forward(condition);
  return spreadOverTokens(rows, num_tokens).chunk(num_chunks, -1);
}

}  // namespace

torch::Tensor spreadOverTokens(const torch::Tensor& modulation, std::int64_t num_tokens) {
  if (modulation.dim() == 2) return modulation.unsqueeze(1);
  const auto num_rows = modulation.size(1);
  if (num_rows == num_tokens || num_rows == 1) return modulation;
  TORCH_CHECK(num_tokens % num_rows == 0, "modulation: ", num_rows, " condition rows do not divide ", num_tokens,
              " tokens");
  return modulation.repeat_interleave(num_tokens / num_rows, 1);
}

DdtBlockImpl::DdtBlockImpl(const DdtBlockOptions& options) {
  const auto width = options.width;
  const auto norm = options.use_rmsnorm ? NormKind::kRms : NormKind::kLayer;
  std::optional<NormKind> qk_norm;
  if (options.use_qknorm) qk_norm = options.use_rmsnorm ? NormKind::kRms : NormKind::kLayerAffine;
  norm1 = register_module("norm1", TokenNorm(norm, width, 1e-6));
  norm2 = register_module("norm2", TokenNorm(norm, width, 1e-6));
  attn = register_module("attn", Attention(width, options.num_heads, qk_norm));
  if (options.use_swiglu) {
    swiglu = register_module("mlp", SwiGlu(width, swiGluWidth(width, options.mlp_ratio)));
  } else {
    const auto hidden = static_cast<std::int64_t>(static_cast<double>(width) * options.mlp_ratio);
    gelu_mlp = register_module("mlp", GeluMlp(width, hidden, GeluKind::kTanh));
  }
  adaLN_modulation = register_module("adaLN_modulation", makeModulation(width, 6));
}

torch::Tensor DdtBlockImpl::forward(const torch::Tensor& x, const torch::Tensor& activated_condition,
                                    const torch::Tensor& rotary_factors) {
  const auto m = modulationChunks(adaLN_modulation, activated_condition, x.size(1), 6);
  const auto attended = attn(modulate(norm1(x), m[0], m[1]), rotary_factors);
  const auto h = torch::addcmul(x, m[2], attended);
  const auto modulated = modulate(norm2(h), m[3], m[4]);
  return torch::addcmul(h, m[5], swiglu ? swiglu(modulated) : gelu_mlp(modulated));
}

FinalLayerImpl::FinalLayerImpl(std::int64_t width, std::int64_t out_features, bool use_rmsnorm) {
  norm_final = register_module("norm_final", TokenNorm(use_rmsnorm ? NormKind::kRms : NormKind::kLayer, width, 1e-6));
  linear = register_module("linear", torch::nn::Linear(width, out_features));
  adaLN_modulation = register_module("adaLN_modulation", makeModulation(width, 2));
}

torch::Tensor FinalLayerImpl::forward(const torch::Tensor& x, const torch::Tensor& activated_condition) {
  const auto m = modulationChunks(adaLN_modulation, activated_condition, x.size(1), 2);
  return linear(modulate(norm_final(x), m[0], m[1]));
}

void zeroModulation(torch::nn::Sequential& adaLN_modulation) {
  const auto linear = adaLN_modulation->ptr<torch::nn::LinearImpl>(1);
  torch::nn::init::zeros_(linear->weight);
  torch::nn::init::zeros_(linear->bias);
}

}  // namespace meanflow::core
