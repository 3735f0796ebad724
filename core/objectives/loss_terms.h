// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <torch/types.h>

#include <string>
#include <utility>
#include <vector>

namespace meanflow::core {

/// What an objective reports for one batch. Everything but `loss` is detached and stays on the device: read it on the
/// host only at reporting steps.
struct LossTerms {
  torch::Tensor loss;    ///< Scalar to differentiate.
  torch::Tensor err_sq;  ///< [B] sum over C, H, W of the squared error.
  torch::Tensor t;       ///< [B] times of the samples; for histograms over time.
  torch::Tensor r;       ///< [B] interval ends; undefined for flow matching.
  /// Named scalars for curves; always holds "mse", the mean squared error per latent entry (the reference's loss_ref).
  std::vector<std::pair<std::string, torch::Tensor>> scalars;
};

}  // namespace meanflow::core
