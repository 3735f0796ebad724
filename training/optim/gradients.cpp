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

torch::Tensor clipGradNorm(const NamedTensors& parameters, double max_norm) {
  torch::NoGradGuard no_grad;
  const auto grads = gradients(parameters);
  if (grads.empty()) return torch::zeros({});
  const auto norm = torch::linalg_vector_norm(torch::stack(at::_foreach_norm(grads)), 2);
  // A norm that is not finite would spread to every gradient and hide the tensor it came from.
  if (max_norm > 0)
    at::_foreach_mul_(grads, torch::where(norm.isfinite(), (max_norm / (norm + 1e-6)).clamp_max(1), 1.0));
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
