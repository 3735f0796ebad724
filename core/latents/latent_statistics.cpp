// SPDX-License-Identifier: Apache-2.0
#include "core/latents/latent_statistics.h"

#include <torch/torch.h>

namespace meanflow::core {

void LatentStatistics::add(const torch::Tensor& latents) {
  TORCH_CHECK(latents.dim() == 4 && latents.size(0) > 0, "latent statistics: expected [B, C, h, w] with B > 0, got ",
              latents.sizes());
  const auto batch = latents.detach().to(torch::kFloat64);
  LatentStatistics part;
  part.count_ = batch.size(0);
  part.mean_ = batch.mean(0);
  part.sum_sq_ = (batch - part.mean_).square().sum(0);
  merge(part);
}

void LatentStatistics::merge(const LatentStatistics& other) {
  if (other.count_ == 0) return;
  if (count_ == 0) {
    *this = other;
    return;
  }
  // Chan, Golub, LeVeque: pairwise update of the mean and the squared deviations.
  const auto total = static_cast<double>(count_ + other.count_);
  const auto delta = other.mean_ - mean_;
  mean_ = mean_ + delta * (static_cast<double>(other.count_) / total);
  sum_sq_ = sum_sq_ + other.sum_sq_ +
            delta.square() * (static_cast<double>(count_) * static_cast<double>(other.count_) / total);
  count_ += other.count_;
}

LatentMoments LatentStatistics::moments() const {
  TORCH_CHECK(count_ > 0, "latent statistics: no latents were added");
  return {.mean = mean_.to(torch::kFloat32), .variance = (sum_sq_ / static_cast<double>(count_)).to(torch::kFloat32)};
}

void RunningLatentStatistics::add(const torch::Tensor& latents) {
  const auto batch = latents.detach().to(torch::kFloat32);
  const auto mean = batch.mean(0);
  const auto variance = batch.var(0, /*unbiased=*/false);
  if (!moments_.mean.defined()) moments_ = {.mean = torch::zeros_like(mean), .variance = torch::ones_like(mean)};
  moments_.mean = moments_.mean * (1 - momentum_) + mean * momentum_;
  moments_.variance = moments_.variance * (1 - momentum_) + variance * momentum_;
}

LatentMoments combineRanks(const std::vector<LatentMoments>& ranks) {
  TORCH_CHECK(!ranks.empty(), "latent statistics: no ranks to combine");
  std::vector<torch::Tensor> means, variances;
  for (const auto& rank : ranks) {
    means.push_back(rank.mean);
    variances.push_back(rank.variance);
  }
  const auto stacked = torch::stack(means);
  return {.mean = stacked.mean(0), .variance = torch::stack(variances).mean(0) + stacked.var(0, /*unbiased=*/false)};
}

}  // namespace meanflow::core
