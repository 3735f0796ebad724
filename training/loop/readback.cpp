// SPDX-License-Identifier: Apache-2.0
#include "training/loop/readback.h"

#include <c10/core/impl/VirtualGuardImpl.h>
#include <torch/torch.h>

namespace meanflow::training {

Readback::Readback(const torch::Tensor& numbers) {
  if (numbers.is_cpu()) {
    host_ = numbers;
    return;
  }
  host_ = torch::empty(numbers.sizes(), torch::dtype(torch::kFloat64).pinned_memory(true));
  host_.copy_(numbers, /*non_blocking=*/true);
  arrived_.emplace(numbers.device().type());
  arrived_->record(c10::impl::VirtualGuardImpl(numbers.device().type()).getStream(numbers.device()));
}

std::vector<double> Readback::wait() {
  if (arrived_) arrived_->synchronize();
  return {host_.data_ptr<double>(), host_.data_ptr<double>() + host_.numel()};
}

}  // namespace meanflow::training
