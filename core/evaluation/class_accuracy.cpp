// SPDX-License-Identifier: Apache-2.0
#include "core/evaluation/class_accuracy.h"

#include <limits>

namespace meanflow::core {

ClassAccuracy classAccuracy(const torch::Tensor& logits, const torch::Tensor& labels) {
  TORCH_CHECK(logits.dim() == 2 && labels.dim() == 1 && labels.size(0) == logits.size(0) && logits.size(0) > 0,
              "classAccuracy: expected logits [B, C] and labels [B], got ", logits.sizes(), " and ", labels.sizes());
  const auto y = labels.to(torch::kCPU, torch::kInt64);
  const auto is_right = logits.detach().to(torch::kCPU).argmax(1).eq(y).to(torch::kFloat64);
  ClassAccuracy accuracy;
  accuracy.overall = is_right.mean().item<double>();
  for (std::int64_t label = 0; label < logits.size(1); ++label) {
    const auto rows = is_right.masked_select(y.eq(label));
    accuracy.counts.push_back(rows.numel());
    accuracy.by_class.push_back(rows.numel() ? rows.mean().item<double>() : std::numeric_limits<double>::quiet_NaN());
  }
  return accuracy;
}

}  // namespace meanflow::core
