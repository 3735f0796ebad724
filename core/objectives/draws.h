// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <span>

namespace meanflow::core {

/// All randomness of one training step, on the CPU but for `eps`. Members an objective does not need stay undefined;
/// golden cases and replays fill them with recorded values.
struct Draws {
  torch::Tensor label_uniforms;          ///< [B]; a label becomes the null label where it is below the dropout rate.
  torch::Tensor eps;                     ///< [B, C, H, W] standard normal.
  torch::Tensor time_uniforms;           ///< [B] (flow matching) or [B, 2] (MeanFlow), in [0, 1).
  torch::Tensor mask_uniforms;           ///< [B]; r := t where below 1 - ratio.
  torch::Tensor pair_indices;            ///< [P] int64, into the list of trajectory pairs.
  torch::Tensor network_label_uniforms;  ///< [3B] or [P]; second, independent label drop of the released code.
};

/// What an objective wants drawn; ask the objective (`needs()`).
struct DrawNeeds {
  bool labels = true;
  bool eps = true;
  std::int64_t times_per_sample = 0;  ///< 0, 1 or 2.
  bool mask = false;
  std::int64_t pair_list_size = 0;        ///< > 0: one pair index per sample, in [0, pair_list_size).
  std::int64_t network_label_copies = 0;  ///< Label uniforms per sample for network_label_uniforms, copy outermost.
};

/// Draws for the samples at `positions` of the global batch of optimizer step `step`, from the counter-based generator
/// keyed by (seed, step, position): the global batch's draws do not depend on how it is spread over workers.
/// sample_shape = [C, H, W]. `eps` is moved to `device`; the short vectors stay on the CPU, so that objectives can look
/// at times without waiting for a device, and move what they need.
Draws drawFor(const DrawNeeds& needs, std::uint64_t seed, std::int64_t step, std::span<const std::int64_t> positions,
              torch::IntArrayRef sample_shape, const torch::Device& device = torch::kCPU);

/// y with label b replaced by `null_label` where uniforms[b] < rate, on y's device; y itself when the rate is 0.
torch::Tensor dropLabels(const torch::Tensor& y, const torch::Tensor& uniforms, double rate, std::int64_t null_label);

}  // namespace meanflow::core
