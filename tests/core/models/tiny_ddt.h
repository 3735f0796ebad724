// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <torch/torch.h>

#include "core/models/ddt.h"

namespace meanflow::testing {

/// Latents [B, 6, 4, 4], 3 classes, two blocks and a head of one.
inline core::DdtOptions tinyDdt(bool is_student) {
  core::DdtOptions options;
  options.network.hidden_size = {24, 32};
  options.network.depth = {2, 1};
  options.network.num_heads = {2, 2};
  options.input_size = 4;
  options.in_channels = 6;
  options.num_classes = 3;
  options.has_r_embedder = is_student;
  return options;
}

/// Weights that make a network say something: it starts with zeros in its last layers.
inline void randomise(torch::nn::Module& module, double scale = 0.2) {
  const torch::NoGradGuard no_grad;
  for (auto& entry : module.named_parameters()) {
    if (entry.value().requires_grad()) entry.value().copy_(torch::randn_like(entry.value()) * scale);
  }
}

}  // namespace meanflow::testing
