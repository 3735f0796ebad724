// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <torch/types.h>

#include <vector>

namespace meanflow::core {

/// Mean and variance of every (C, h, w) entry, float32.
struct LatentMoments {
  torch::Tensor mean, variance;  ///< [C, h, w]
};

/// Exact mean and population variance over a data set, whatever the batching; accumulated in float64.
class LatentStatistics {
 public:
  void add(const torch::Tensor& latents);  ///< [B, C, h, w]
  void merge(const LatentStatistics& other);
  std::int64_t count() const { return count_; }
  LatentMoments moments() const;  ///< Throws before the first add.

 private:
  std::int64_t count_ = 0;
  torch::Tensor mean_, sum_sq_;  ///< Sum of squared deviations from the mean.
};

/// The exponential running form of the official calculate_stat: running <- (1 - momentum) running + momentum batch,
/// from mean 0 and variance 1, with the biased variance over the batch axis.
class RunningLatentStatistics {
 public:
  explicit RunningLatentStatistics(double momentum = 0.1) : momentum_(momentum) {}
  void add(const torch::Tensor& latents);
  LatentMoments moments() const { return moments_; }

 private:
  double momentum_;
  LatentMoments moments_;
};

/// Combination over ranks: mean of means; mean of variances plus the population variance of the means.
LatentMoments combineRanks(const std::vector<LatentMoments>& ranks);

}  // namespace meanflow::core
