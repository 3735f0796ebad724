// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <torch/torch.h>

#include <vector>

namespace meanflow::core {

/// Share of rows whose largest logit is their label.
struct ClassAccuracy {
  double overall = 0;
  std::vector<double> by_class;      ///< NaN for a class without rows.
  std::vector<std::int64_t> counts;  ///< Rows of each class.
};

/// logits [B, C], labels int64 [B] in 0 .. C - 1.
ClassAccuracy classAccuracy(const torch::Tensor& logits, const torch::Tensor& labels);

}  // namespace meanflow::core
