// SPDX-License-Identifier: Apache-2.0
#include "core/diagnostics/residual_meter.h"

#include <torch/torch.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "core/flow/path.h"

namespace meanflow::core {
namespace {

TransportPoint pointOf(const ResidualProbe& probe, const torch::Tensor& z_t, const torch::Tensor& direction) {
  return {.z_t = z_t, .w = direction, .r = probe.r, .t = probe.t, .y = probe.y, .y_plus = {}, .y_minus = {}};
}

/// Mean over the entries of every sample of a * b, float64 [B].
torch::Tensor entryMean(const torch::Tensor& a, const torch::Tensor& b) {
  return (a.to(torch::kFloat64) * b.to(torch::kFloat64)).flatten(1).mean(1).to(torch::kCPU);
}

ResidualProbe rowsOf(const ResidualProbe& probe, std::int64_t at, std::int64_t count) {
  const auto part = [&](const torch::Tensor& tensor) { return tensor.narrow(0, at, count); };
  return {.x = part(probe.x), .eps = part(probe.eps), .r = part(probe.r), .t = part(probe.t), .y = part(probe.y)};
}

ResidualSamples samplesOfBatch(const FlowMap& u, const VelocityField& oracle, const VelocityField& teacher,
                               const ResidualProbe& probe, const TransportDerivativeOptions& derivative) {
  const auto z_t = interpolate(probe.x, probe.eps, probe.t);
  const auto v_star = oracle(z_t, probe.t, probe.y).to(z_t.scalar_type());
  const auto bias = meanFlowResidual(u, z_t, v_star, probe, derivative);
  const auto single = residualMap(u, z_t, probe.eps - probe.x - v_star, probe, derivative);
  ResidualSamples result;
  result.oracle_bias = entryMean(bias, bias);
  result.single_point = entryMean(single, single);
  if (teacher) {
    const auto v_theta = teacher(z_t, probe.t, probe.y).to(z_t.scalar_type());
    const auto taught = residualMap(u, z_t, v_theta - v_star, probe, derivative);
    result.teacher_oracle = entryMean(taught, taught);
    result.cross = entryMean(bias, taught);
  } else {
    result.teacher_oracle = torch::full_like(result.oracle_bias, std::numeric_limits<double>::quiet_NaN());
    result.cross = result.teacher_oracle;
  }
  return result;
}

/// Means of the rows at which `is_in` holds; NaN where there is none.
base::ResidualTerms termsOf(const ResidualSamples& samples, const torch::Tensor& is_in) {
  const auto mean = [&](const torch::Tensor& values) { return values.masked_select(is_in).mean().item<double>(); };
  return {.single_point = mean(samples.single_point),
          .teacher_oracle = mean(samples.teacher_oracle),
          .oracle_bias = mean(samples.oracle_bias),
          .cross = mean(samples.cross)};
}

}  // namespace

torch::Tensor meanFlowResidual(const FlowMap& u, const torch::Tensor& z_t, const torch::Tensor& w,
                               const ResidualProbe& probe, const TransportDerivativeOptions& derivative) {
  const torch::NoGradGuard no_grad;
  const auto h = u(z_t, probe.r, probe.t, probe.y).to(z_t.scalar_type());
  const auto du_dt = transportDerivative(u, pointOf(probe, z_t, w), derivative).to(z_t.scalar_type());
  return h + likeImage(probe.t - probe.r) * du_dt - w;
}

torch::Tensor residualMap(const FlowMap& u, const torch::Tensor& z_t, const torch::Tensor& a,
                          const ResidualProbe& probe, const TransportDerivativeOptions& derivative) {
  const torch::NoGradGuard no_grad;
  const auto along = spatialDerivative(u, pointOf(probe, z_t, a), derivative).to(z_t.scalar_type());
  return likeImage(probe.t - probe.r) * along - a;
}

ResidualSamples residualSamples(const FlowMap& u, const VelocityField& oracle, const VelocityField& teacher,
                                const ResidualProbe& probe, const ResidualOptions& options) {
  const torch::NoGradGuard no_grad;
  const auto total = probe.x.size(0);
  TORCH_CHECK(total > 0, "residuals: there is no probe to measure them on");
  std::vector<torch::Tensor> single_point, teacher_oracle, oracle_bias, cross;
  for (std::int64_t at = 0; at < total; at += options.batch_size) {
    const auto part = samplesOfBatch(u, oracle, teacher, rowsOf(probe, at, std::min(options.batch_size, total - at)),
                                     options.derivative);
    single_point.push_back(part.single_point);
    teacher_oracle.push_back(part.teacher_oracle);
    oracle_bias.push_back(part.oracle_bias);
    cross.push_back(part.cross);
  }
  return {.single_point = torch::cat(single_point),
          .teacher_oracle = torch::cat(teacher_oracle),
          .oracle_bias = torch::cat(oracle_bias),
          .cross = torch::cat(cross)};
}

base::VelocityResidualsReady measureResiduals(const FlowMap& u, const VelocityField& oracle,
                                              const VelocityField& teacher, const ResidualProbe& probe,
                                              const ResidualOptions& options) {
  const auto samples = residualSamples(u, oracle, teacher, probe, options);
  const auto num_bins = options.num_t_bins;
  const auto bin = (probe.t.to(torch::kCPU, torch::kFloat64) * num_bins).floor().clamp(0, num_bins - 1);
  base::VelocityResidualsReady event;
  event.num_samples = probe.x.size(0);
  event.overall = termsOf(samples, torch::ones_like(bin, torch::kBool));
  for (std::int64_t i = 0; i <= num_bins; ++i)
    event.t_edges.push_back(static_cast<float>(static_cast<double>(i) / static_cast<double>(num_bins)));
  for (std::int64_t i = 0; i < num_bins; ++i) event.by_t.push_back(termsOf(samples, bin == i));
  return event;
}

}  // namespace meanflow::core
