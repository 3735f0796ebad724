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
  /// Named figures of every sample, [B] each, for means over t and t - r (core/diagnostics/time_figures.h): "loss", the
  /// squared error per latent entry, and root mean squares over latent entries of the "target", of "du_dt" and of the
  /// "teacher" velocity. NaN where a sample has none: du_dt counts only where r < t. May be empty.
  std::vector<std::pair<std::string, torch::Tensor>> per_sample;
};

/// Root mean square over the entries of every sample: [B, ...] -> [B].
inline torch::Tensor entryRms(const torch::Tensor& values) {
  return values.detach().flatten(1).square().mean(1).sqrt();
}

}  // namespace meanflow::core
