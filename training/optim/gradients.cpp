// SPDX-License-Identifier: Apache-2.0
#include "training/optim/gradients.h"

#include <torch/torch.h>

#include <limits>

namespace meanflow::training {

std::vector<torch::Tensor> gradients(const NamedTensors& parameters) {
  std::vector<torch::Tensor> grads;
  for (const auto& [name, parameter] : parameters)
    if (parameter.grad().defined()) grads.push_back(parameter.grad());
  return grads;
}

GradientNorms gradientNorms(const NamedTensors& parameters) {
  torch::NoGradGuard no_grad;
  const auto grads = gradients(parameters);
  if (grads.empty()) return {torch::zeros({0}), torch::zeros({})};
  const auto each = torch::stack(at::_foreach_norm(grads));
  return {each, torch::linalg_vector_norm(each, 2)};
}

void scaleGradients(const NamedTensors& parameters, const torch::Tensor& norm, double max_norm) {
  if (max_norm <= 0) return;
  torch::NoGradGuard no_grad;
  const auto grads = gradients(parameters);
  if (!grads.empty())
    at::_foreach_mul_(grads, torch::where(norm.isfinite(), (max_norm / (norm + 1e-6)).clamp_max(1), 1.0));
}

torch::Tensor clipGradNorm(const NamedTensors& parameters, double max_norm) {
  const auto norm = gradientNorms(parameters).global;
  scaleGradients(parameters, norm, max_norm);
  return norm;
}

torch::Tensor allFinite(at::TensorList tensors) {
  torch::NoGradGuard no_grad;
  if (tensors.empty()) return torch::ones({}, torch::kBool);
  // The largest magnitude is NaN or infinite as soon as one entry is.
  return torch::stack(at::_foreach_norm(tensors, std::numeric_limits<double>::infinity())).isfinite().all();
}

std::string firstNonFinite(const NamedTensors& tensors) {
  for (const auto& [name, tensor] : tensors)
    if (tensor.defined() && !tensor.isfinite().all().item<bool>()) return name;
  return {};
}

}  // namespace meanflow::training
