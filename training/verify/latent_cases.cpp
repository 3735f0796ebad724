// SPDX-License-Identifier: Apache-2.0
#include "training/verify/latent_cases.h"

#include "core/latents/latent_statistics.h"

namespace meanflow::training {

void runLatentStatistics(const CaseFolder& folder, CaseChecker& checker) {
  const auto momentum = folder.config().numberOr("momentum", 0.1, 0, 1);
  std::vector<core::LatentMoments> ranks;
  std::vector<torch::Tensor> means, variances;
  for (const auto& batches : folder.io("latents", {-1, -1, -1, -1, -1, -1}).unbind(0)) {  // [rank, batch, B, C, h, w]
    core::RunningLatentStatistics running(momentum);
    for (const auto& batch : batches.unbind(0)) running.add(batch);
    ranks.push_back(running.moments());
    means.push_back(ranks.back().mean);
    variances.push_back(ranks.back().variance);
  }
  checker.checkIfPresent("rank_mean", torch::stack(means));
  checker.checkIfPresent("rank_var", torch::stack(variances));
  const auto combined = core::combineRanks(ranks);
  checker.check("mean", combined.mean);
  checker.check("var", combined.variance);
}

}  // namespace meanflow::training
