// SPDX-License-Identifier: Apache-2.0
#include "core/evaluation/psnr.h"

namespace meanflow::core {
namespace {
torch::Tensor unitRange(const torch::Tensor& images) {
  const auto values = images.detach().to(torch::kFloat64);
  return images.scalar_type() == torch::kUInt8 ? values / 255 : values;
}
}  // namespace

double psnr(const torch::Tensor& images, const torch::Tensor& reference) {
  TORCH_CHECK(images.sizes() == reference.sizes() && images.dim() >= 2 && images.size(0) > 0, "psnr: shapes ",
              images.sizes(), " and ", reference.sizes());
  const auto mse = (unitRange(images) - unitRange(reference)).square().flatten(1).mean(1).clamp_min(1e-10);
  return mse.log10().mul(-10).mean().item<double>();
}

}  // namespace meanflow::core
