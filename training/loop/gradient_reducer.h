// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <torch/types.h>

#include <vector>

#include "training/workers/worker.h"

namespace meanflow::training {

/// Sums gradients and a few scalars over all ranks in one all-reduce. Each rank weights its loss by its share of the
/// global batch before backward, so the sum is the gradient of the global mean.
class GradientReducer {
 public:
  /// `parameters`: the trainable ones, in the same order on every rank. `num_scalars`: length of what reduce() is
  /// given.
  GradientReducer(std::vector<torch::Tensor> parameters, std::int64_t num_scalars);

  /// Replaces every parameter's gradient and every one of `scalars` ([num_scalars], float64, on the parameters' device;
  /// summed in float32) by its sum over ranks. A parameter without a gradient on any rank gets zeros.
  void reduce(const Worker& worker, torch::Tensor& scalars);

 private:
  std::vector<torch::Tensor> parameters_;
  std::vector<torch::Tensor> slices_;  ///< Views of buffer_, one a parameter, in the parameter's shape.
  torch::Tensor buffer_;               ///< [P + num_scalars]
  torch::Tensor scalar_slice_;
};

}  // namespace meanflow::training
