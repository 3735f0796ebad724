// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <c10/core/Event.h>
#include <torch/types.h>

#include <optional>
#include <vector>

namespace meanflow::training {

/// A few numbers on their way from a device to the host. Starting it waits for nothing; from a GPU they travel through
/// pinned memory behind the work that makes them.
class Readback {
 public:
  /// `numbers`: [n], float64.
  explicit Readback(const torch::Tensor& numbers);

  /// The numbers; waits until they have arrived and no longer.
  std::vector<double> wait();

 private:
  torch::Tensor host_;
  std::optional<c10::Event> arrived_;  ///< Empty where they were on the host all along.
};

}  // namespace meanflow::training
