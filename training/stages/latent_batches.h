// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <set>

#include "training/stages/workspace.h"

namespace meanflow::training {

/// Batches of training latents, in the order that training visits them; samples of data.skip_samples are passed over:
/// the next one that is not takes their place.
class LatentBatches {
 public:
  LatentBatches(Workspace& workspace, std::int64_t batch_size, std::uint64_t seed)
      : sampler_(workspace.data().train_labels.size(0), batch_size, seed),
        num_samples_(workspace.data().train_labels.size(0)),
        skipped_(workspace.config().data.skip_samples.begin(), workspace.config().data.skip_samples.end()) {}

  /// Numbers of the training samples at `positions` of the global batch of 0-based step `step`.
  std::vector<std::int64_t> samples(std::int64_t step, std::span<const std::int64_t> positions) {
    auto numbers = pick(sampler_.batch(step), positions);
    if (skipped_.empty()) return numbers;
    for (auto& number : numbers)
      for (std::int64_t tried = 0; skipped_.contains(number) && tried < num_samples_; ++tried)
        number = (number + 1) % num_samples_;
    return numbers;
  }

 private:
  core::EpochSampler sampler_;
  std::int64_t num_samples_;
  std::set<std::int64_t> skipped_;
};

}  // namespace meanflow::training
