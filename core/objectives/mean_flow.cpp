// SPDX-License-Identifier: Apache-2.0
#include "core/objectives/mean_flow.h"

#include <ATen/record_function.h>
#include <torch/torch.h>

#include <limits>
#include <utility>

#include "core/flow/path.h"

namespace meanflow::core {
namespace {

/// Loss per sample from its sum of squared errors L [B]: L / (sg(L) + c)^p, or the same of L^2.
torch::Tensor adaptiveLoss(const torch::Tensor& err_sq, const MeanFlowOptions& options) {
  const auto error = options.adaptive_squared ? err_sq.square() : err_sq;
  if (options.adaptive_p == 0) return error;
  return error * (error.detach() + options.adaptive_c).pow(-options.adaptive_p);
}

}  // namespace

MeanFlowOptions meanFlowOptions(const base::MeanFlowConfig& config, std::int64_t num_classes) {
  MeanFlowOptions options;
  options.num_classes = num_classes;
  options.label_dropout = config.label_dropout;
  options.ratio_r_less_than_t = config.ratio_r_less_than_t;
  options.adaptive_p = config.adaptive_p;
  options.adaptive_c = config.adaptive_c;
  options.adaptive_squared = config.adaptive_squared;
  options.network_label_dropout = config.label_drop == "independent" ? config.label_dropout : 0;
  options.derivative.kind = config.derivative == "jvp" ? DerivativeKind::kJvp : DerivativeKind::kFiniteDifference;
  options.derivative.delta_t = config.delta_t;
  options.derivative.clamp_times = config.clamp_times;
  return options;
}

MeanFlow::MeanFlow(MeanFlowOptions options, TimeSchedule schedule, VelocitySource velocity)
    : options_(options), schedule_(std::move(schedule)), velocity_(std::move(velocity)) {}

DrawNeeds MeanFlow::needs() const {
  return {.labels = options_.label_dropout > 0,
          .eps = true,
          .times_per_sample = 2,
          .mask = true,
          .network_label_copies = options_.network_label_dropout > 0 ? 3 : 0};
}

MeanFlowTarget MeanFlow::target(const FlowMap& u, const torch::Tensor& x, const torch::Tensor& y,
                                const Draws& draws) const {
  torch::NoGradGuard no_grad;
  const auto times =
      schedule_.pairsFromUniforms(draws.time_uniforms, draws.mask_uniforms, options_.ratio_r_less_than_t);
  const auto r = times.r.to(x.options()), t = times.t.to(x.options());
  const auto y_shared = dropLabels(y, draws.label_uniforms, options_.label_dropout, options_.num_classes);
  // Labels of u, u+ and u-.
  std::vector<torch::Tensor> labels(3, y_shared);
  if (options_.network_label_dropout > 0) {
    const auto label_uniforms = draws.network_label_uniforms.chunk(3);
    for (std::size_t copy = 0; copy < labels.size(); ++copy)
      labels[copy] = dropLabels(y_shared, label_uniforms[copy], options_.network_label_dropout, options_.num_classes);
  }

  MeanFlowTarget target;
  target.z_t = interpolate(x, draws.eps, t);
  // Networks under autocast answer in bfloat16; the target is made in the latents' own dtype.
  target.w = velocity_.at(u, target.z_t, t, y_shared, x, draws.eps).to(x.scalar_type());
  target.r = r;
  target.t = t;
  target.y = labels[0];
  target.u_tgt = target.w;
  target.du_dt_rms = torch::full_like(t, std::numeric_limits<double>::quiet_NaN());

  const auto rows =
      (times.r < times.t).nonzero().flatten().to(x.device());  // found where the draws lie: no wait for the device
  if (rows.numel() == 0) return target;
  const auto pick = [&rows](const torch::Tensor& tensor) { return tensor.index_select(0, rows); };
  const auto du_dt = transportDerivative(u,
                                         {.z_t = pick(target.z_t),
                                          .w = pick(target.w),
                                          .r = pick(r),
                                          .t = pick(t),
                                          .y = pick(labels[0]),
                                          .y_plus = pick(labels[1]),
                                          .y_minus = pick(labels[2])},
                                         options_.derivative)
                         .to(x.scalar_type());
  target.u_tgt = target.w.index_add(0, rows, likeImage(pick(t - r)) * du_dt, -1);
  const auto rms = entryRms(du_dt);
  const at::RecordFunctionGuard unwatched(/*is_enabled=*/false);  // its NaN are a mark, for whoever looks for NaN
  target.du_dt_rms.index_copy_(0, rows, rms);
  return target;
}

LossTerms MeanFlow::evaluate(const FlowMap& u, const torch::Tensor& x, const torch::Tensor& y,
                             const Draws& draws) const {
  const auto target = this->target(u, x, y, draws);
  const auto err_sq = (u(target.z_t, target.r, target.t, target.y) - target.u_tgt).square().flatten(1).sum(1);
  const auto entries = static_cast<double>(x.numel()) / static_cast<double>(x.size(0));
  LossTerms terms{
      .loss = adaptiveLoss(err_sq, options_).mean(),
      .err_sq = err_sq.detach(),
      .t = target.t,
      .r = target.r,
      .scalars = {{"mse", err_sq.detach().mean() / entries}},
      .per_sample = {
          {"loss", err_sq.detach() / entries}, {"target", entryRms(target.u_tgt)}, {"du_dt", target.du_dt_rms}}};
  if (velocity_.usesNetwork()) terms.per_sample.emplace_back("teacher", entryRms(target.w));
  return terms;
}

}  // namespace meanflow::core
