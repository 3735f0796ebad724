// SPDX-License-Identifier: Apache-2.0
#include "core/objectives/flow_matching.h"

#include <torch/torch.h>

#include <utility>

namespace meanflow::core {
namespace {

torch::Tensor lossWeight(LossWeight weight, const PathCoefficients& path) {
  switch (weight) {
    case LossWeight::kVelocity:
      return (path.half_diffusion / path.sigma).square();
    case LossWeight::kLikelihood:
      return path.half_diffusion / path.sigma.square();
    case LossWeight::kNone:
      break;
  }
  return torch::ones_like(path.sigma);
}

}  // namespace

FlowMatching::FlowMatching(FlowMatchingOptions options, TimeSchedule schedule)
    : options_(options), schedule_(std::move(schedule)) {}

DrawNeeds FlowMatching::needs() const {
  return {.labels = options_.label_dropout > 0, .eps = true, .times_per_sample = 1};
}

LossTerms FlowMatching::evaluate(const VelocityField& v, const torch::Tensor& x, const torch::Tensor& y,
                                 const Draws& draws) const {
  // The schedule's own interval is the linear velocity's.
  const bool is_plain = options_.path == PathKind::kLinear && options_.prediction == Prediction::kVelocity;
  const auto interval = trainingInterval(options_.path, options_.prediction);
  const auto t = (is_plain ? schedule_.fromUniforms(draws.time_uniforms)
                           : schedule_.fromUniforms(draws.time_uniforms, interval.begin, interval.end))
                     .to(x.options());
  return evaluateAt(v, x, draws.eps, t,
                    dropLabels(y, draws.label_uniforms, options_.label_dropout, options_.num_classes));
}

LossTerms FlowMatching::evaluateAt(const VelocityField& v, const torch::Tensor& x, const torch::Tensor& eps,
                                   const torch::Tensor& t, const torch::Tensor& y) const {
  const auto path = pathCoefficients(options_.path, t);
  const auto prediction = v(interpolate(path, x, eps), t, y);
  torch::Tensor err, target;
  switch (options_.prediction) {
    case Prediction::kVelocity:
      target = pathVelocity(path, x, eps);
      err = (prediction - target).square();
      break;
    case Prediction::kNoise:
      target = eps;
      err = lossWeight(options_.weight, path) * (prediction - target).square();
      break;
    case Prediction::kScore:
      target = eps;  // of prediction * sigma, but for the sign
      err = lossWeight(options_.weight, path) * (prediction * path.sigma + target).square();
      break;
  }
  const auto loss = err.mean();
  return {.loss = loss,
          .err_sq = err.detach().flatten(1).sum(1),
          .t = t,
          .r = {},
          .scalars = {{"mse", loss.detach()}},
          .per_sample = {{"loss", err.detach().flatten(1).mean(1)}, {"target", entryRms(target)}}};
}

}  // namespace meanflow::core
