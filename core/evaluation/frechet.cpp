// SPDX-License-Identifier: Apache-2.0
#include "core/evaluation/frechet.h"

namespace meanflow::core {

void MomentAccumulator::add(const torch::Tensor& features) {
  TORCH_CHECK(features.dim() == 2 && (count_ == 0 || features.size(1) == mean_.size(0)),
              "MomentAccumulator: expected features [B, ", count_ ? std::to_string(mean_.size(0)) : "F", "], got ",
              features.sizes());
  if (features.size(0) == 0) return;
  const auto rows = features.detach().to(torch::kCPU, torch::kFloat64);
  MomentAccumulator batch;
  batch.count_ = rows.size(0);
  batch.mean_ = rows.mean(0);
  const auto deviations = rows - batch.mean_;
  batch.scatter_ = deviations.t().mm(deviations);
  merge(batch);
}

void MomentAccumulator::merge(const MomentAccumulator& other) {
  if (other.count_ == 0) return;
  if (count_ == 0) {
    count_ = other.count_;
    mean_ = other.mean_.clone();
    scatter_ = other.scatter_.clone();
    return;
  }
  const double own = static_cast<double>(count_), added = static_cast<double>(other.count_), total = own + added;
  const auto step = other.mean_ - mean_;
  mean_ = mean_ + step * (added / total);
  scatter_ = scatter_ + other.scatter_ + torch::outer(step, step) * (own * added / total);
  count_ += other.count_;
}

Moments MomentAccumulator::finish() const {
  TORCH_CHECK(count_ >= 2, "MomentAccumulator: a covariance needs at least 2 rows, got ", count_);
  return {.mean = mean_, .covariance = scatter_ / static_cast<double>(count_ - 1), .count = count_};
}

Moments momentsOf(const torch::Tensor& features) {
  MomentAccumulator accumulator;
  accumulator.add(features);
  return accumulator.finish();
}

double frechetDistance(const Moments& a, const Moments& b) {
  TORCH_CHECK(a.mean.sizes() == b.mean.sizes(), "frechetDistance: features of widths ", a.mean.size(0), " and ",
              b.mean.size(0));
  const auto [values, vectors] = torch::linalg_eigh(a.covariance);
  const auto root = (vectors * values.clamp_min(0).sqrt()).mm(vectors.t());
  const auto product = root.mm(b.covariance).mm(root);
  const auto eigenvalues = torch::linalg_eigvalsh((product + product.t()) / 2);
  const double root_trace = eigenvalues.clamp_min(0).sqrt().sum().item<double>();
  const double traces = a.covariance.trace().item<double>() + b.covariance.trace().item<double>();
  return (a.mean - b.mean).square().sum().item<double>() + traces - 2 * root_trace;
}

double relativeFrechetDistance(const Moments& samples, const Moments& reference) {
  const double trace = reference.covariance.trace().item<double>();
  TORCH_CHECK(trace > 0, "relativeFrechetDistance: the reference features do not vary");
  return frechetDistance(samples, reference) / trace;
}

}  // namespace meanflow::core
