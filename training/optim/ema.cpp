// SPDX-License-Identifier: Apache-2.0
#include "training/optim/ema.h"

#include <torch/torch.h>

#include <utility>

#include "training/optim/copy_named.h"

namespace meanflow::training {
namespace {

std::vector<torch::Tensor> tensorsOf(const NamedTensors& named) {
  std::vector<torch::Tensor> tensors;
  tensors.reserve(named.size());
  for (const auto& [name, tensor] : named) tensors.push_back(tensor);
  return tensors;
}

}  // namespace

Ema::Ema(NamedTensors parameters) : parameters_(std::move(parameters)) {
  for (const auto& [name, parameter] : parameters_) averages_.emplace_back(name, parameter.detach().clone());
}

void Ema::update(double decay) {
  torch::NoGradGuard no_grad;
  at::_foreach_lerp_(tensorsOf(averages_), tensorsOf(parameters_), 1 - decay);
}

base::Result<void> Ema::load(const NamedTensors& averages) { return copyNamed(averages, averages_, "weight averages"); }

void Ema::copyTo(torch::nn::Module& module) const {
  const auto copied = copyNamed(averages_, namedParameters(module), "weight averages");
  TORCH_CHECK(copied.ok(), copied.ok() ? std::string() : copied.error().message);
}

}  // namespace meanflow::training
