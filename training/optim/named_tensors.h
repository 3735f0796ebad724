// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <torch/nn/module.h>

#include <string>
#include <utility>
#include <vector>

namespace meanflow::training {

/// Tensors by state-dict name, in registration order.
using NamedTensors = std::vector<std::pair<std::string, torch::Tensor>>;

/// All parameters of a module, frozen ones included (they are averaged and saved too).
inline NamedTensors namedParameters(const torch::nn::Module& module) {
  NamedTensors result;
  for (const auto& item : module.named_parameters()) result.emplace_back(item.key(), item.value());
  return result;
}

}  // namespace meanflow::training
