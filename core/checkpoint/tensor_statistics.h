// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <torch/types.h>

namespace meanflow::core {

struct TensorStatistics {
  double norm = 0;  ///< Euclidean, of the finite values.
  double min = 0, max = 0;
  std::int64_t num_non_finite = 0;
};

/// Of a CPU tensor of any dtype, piece by piece: little memory beside the tensor's own. Complex numbers count as two.
TensorStatistics statisticsOf(const torch::Tensor& tensor);

std::int64_t countNonFinite(const torch::Tensor& tensor);

}  // namespace meanflow::core
