// SPDX-License-Identifier: Apache-2.0
#include "training/loop/gradient_reducer.h"

#include <ATen/ops/_foreach_copy.h>

namespace meanflow::training {

GradientReducer::GradientReducer(std::vector<torch::Tensor> parameters, std::int64_t num_scalars)
    : parameters_(std::move(parameters)) {
  std::int64_t total = num_scalars;
  for (const auto& p : parameters_) total += p.numel();
  const auto device = parameters_.empty() ? torch::Device(torch::kCPU) : parameters_.front().device();
  buffer_ = torch::zeros({total}, torch::dtype(torch::kFloat32).device(device));
  std::int64_t offset = 0;
  for (const auto& p : parameters_) {
    slices_.push_back(buffer_.narrow(0, offset, p.numel()).view(p.sizes()));
    offset += p.numel();
  }
  scalar_slice_ = buffer_.narrow(0, offset, num_scalars);
}

void GradientReducer::reduce(const Worker& worker, torch::Tensor& scalars) {
  std::vector<torch::Tensor> gradients;
  gradients.reserve(parameters_.size());
  for (auto& p : parameters_) {
    if (!p.grad().defined()) p.mutable_grad() = torch::zeros_like(p);
    gradients.push_back(p.grad());
  }
  if (worker.size() == 1) return;
  at::_foreach_copy_(slices_, gradients);
  scalar_slice_.copy_(scalars);
  worker.allReduceSum(buffer_);
  at::_foreach_copy_(gradients, slices_);
  scalars.copy_(scalar_slice_);
}

}  // namespace meanflow::training
