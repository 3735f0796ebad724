// SPDX-License-Identifier: Apache-2.0
#include "core/diagnostics/velocity_oracle.h"

#include <torch/torch.h>

#include <algorithm>
#include <limits>
#include <utility>

namespace meanflow::core {
namespace {

constexpr double kSmallestTime = 1e-6;
constexpr std::int64_t kChunkBytes = std::int64_t{32} << 20;  // of latents in float64

}  // namespace

VelocityOracle::VelocityOracle(torch::Tensor x, const torch::Tensor& y, std::int64_t null_label)
    : x_(std::move(x)), null_label_(null_label) {
  TORCH_CHECK(x_.dim() == 4 && x_.size(0) > 0, "velocity oracle: needs latents [N, C, H, W], got ", x_.sizes());
  if (!y.defined()) return;
  TORCH_CHECK(y.size(0) == x_.size(0), "velocity oracle: ", x_.size(0), " latents, but ", y.size(0), " labels");
  const auto labels = y.to(torch::kCPU);
  for (std::int64_t label = 0; label <= labels.max().item<std::int64_t>(); ++label)
    members_.push_back((labels == label).nonzero().flatten().to(x_.device()));
}

torch::Tensor VelocityOracle::operator()(const torch::Tensor& z_t, const torch::Tensor& t,
                                         const torch::Tensor& y) const {
  const torch::NoGradGuard no_grad;
  const auto z = z_t.to(torch::kFloat64).flatten(1), time = t.to(torch::kFloat64).clamp_min(kSmallestTime);
  auto mean = torch::empty_like(z);
  if (members_.empty()) {
    mean = posteriorMean(z, time, {});
  } else {
    const auto labels = y.to(torch::kCPU).contiguous();
    std::vector<std::int64_t> distinct(labels.data_ptr<std::int64_t>(),
                                       labels.data_ptr<std::int64_t>() + labels.numel());
    std::sort(distinct.begin(), distinct.end());
    distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
    for (const auto label : distinct) {
      const bool is_class = label >= 0 && label < static_cast<std::int64_t>(members_.size()) &&
                            members_[static_cast<std::size_t>(label)].numel() > 0;
      TORCH_CHECK(is_class || label == null_label_, "velocity oracle: there is no latent of class ", label);
      const auto rows = (labels == label).nonzero().flatten().to(z.device());
      mean.index_copy_(0, rows,
                       posteriorMean(z.index_select(0, rows), time.index_select(0, rows),
                                     is_class ? members_[static_cast<std::size_t>(label)] : torch::Tensor()));
    }
  }
  return ((z - mean) / time.unsqueeze(1)).view(z_t.sizes()).to(z_t.scalar_type());
}

/// m for z_t [B, D] float64: a running softmax. Weights so far are relative to the largest logit so far, and are scaled
/// down when a larger one comes. Of |z_t - (1 - t) x|^2 the part |z_t|^2 is common to all and left out.
torch::Tensor VelocityOracle::posteriorMean(const torch::Tensor& z_t, const torch::Tensor& t,
                                            const torch::Tensor& members) const {
  const auto data = x_.flatten(1);
  const auto total = members.defined() ? members.size(0) : data.size(0);
  const auto chunk = std::max<std::int64_t>(1, kChunkBytes / (8 * data.size(1)));
  const auto shrink = (1 - t).unsqueeze(1), precision = t.square().reciprocal().unsqueeze(1);  // [B, 1]
  auto largest = torch::full({z_t.size(0), 1}, std::numeric_limits<double>::lowest(), z_t.options());
  auto sum = torch::zeros_like(largest), weighted = torch::zeros_like(z_t);
  for (std::int64_t at = 0; at < total; at += chunk) {
    const auto count = std::min(chunk, total - at);
    const auto x = (members.defined() ? data.index_select(0, members.narrow(0, at, count)) : data.narrow(0, at, count))
                       .to(torch::kFloat64);
    const auto logits =
        precision * shrink * (z_t.matmul(x.t()) - 0.5 * shrink * x.square().sum(1).unsqueeze(0));  // [B, count]
    const auto larger = torch::maximum(largest, logits.amax(1, true));
    const auto before = (largest - larger).exp(), weights = (logits - larger).exp();
    sum = sum * before + weights.sum(1, true);
    weighted = weighted * before + weights.matmul(x);
    largest = larger;
  }
  return weighted / sum;
}

}  // namespace meanflow::core
