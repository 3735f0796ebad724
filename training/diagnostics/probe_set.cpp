// SPDX-License-Identifier: Apache-2.0
#include "training/diagnostics/probe_set.h"

#include <algorithm>
#include <memory>
#include <numeric>

#include "core/checkpoint/module_state.h"
#include "core/diagnostics/velocity_oracle.h"
#include "core/flow/guidance.h"
#include "core/flow/noise.h"
#include "core/flow/path.h"
#include "core/objectives/draws.h"
#include "core/objectives/mean_flow.h"
#include "training/sampling/live_painter.h"
#include "training/stages/external_weights.h"
#include "training/stages/tasks.h"

namespace meanflow::training {
namespace {

constexpr std::int64_t kMostParametersInDouble = 100'000'000;  // 0.8 GB of weights

/// What every student has.
ProbeSet studentProbes(Workspace& workspace, core::DiTwDDTHead student) {
  const auto& config = workspace.config();
  ProbeSet set;
  set.u = core::flowMap(student);
  set.precision = workspace.device().is_cpu() ? "fp32" : config.precision;  // a CPU has no TF32
  std::int64_t num_parameters = 0;
  for (const auto& parameter : student->parameters()) num_parameters += parameter.numel();
  if (num_parameters <= kMostParametersInDouble)
    set.copyInDouble = [&workspace, student] {
      auto copy = makeStudent(workspace.config(), workspace.numClasses());
      copy->to(workspace.device(), torch::kFloat64);
      core::copyMatching(*student, *copy);
      return core::flowMap(copy);
    };

  std::vector<std::uint64_t> cells;
  std::vector<std::int64_t> labels;
  for (std::int64_t k = 0; k < std::min(kFewProbes, config.diagnostics.probe_samples); ++k) {
    labels.push_back(k % workspace.numClasses());
    cells.push_back(gridNoiseIndex(labels.back(), k / workspace.numClasses()));
  }
  set.z = core::noise(workspace.seed(), core::Stream::kSampleNoise, cells, workspace.latent().sizes())
              .to(workspace.device());
  set.y = torch::tensor(labels, torch::kInt64).to(workspace.device());
  set.grid = workspace.schedule().grid(config.diagnostics.jump_map_steps + 1, config.cmt.grid_end);
  return set;
}

/// The run's teacher, loaded when it is first asked for.
core::VelocityField guidedTeacher(Workspace& workspace, const base::GuidanceConfig& guidance) {
  if (workspace.run().if_missing == IfMissing::kRefuse &&
      !hasWeights(workspace.config(), workspace.run().folder(), "teacher"))
    return {};
  const auto plain = [&workspace](const torch::Tensor& z, const torch::Tensor& t, const torch::Tensor& y) {
    return core::velocityField(workspace.teacher())(z, t, y);
  };
  return core::classifierFreeGuidance(plain, guidance, workspace.numClasses());
}

/// Training samples spread evenly over the set (which lies class by class), with noise and times of the probes' own.
void drawSamples(Workspace& workspace, ProbeSet& set) {
  const auto& config = workspace.config();
  const auto num_images = workspace.data().train_labels.size(0);
  const auto count = std::min(config.diagnostics.probe_samples, num_images);
  std::vector<std::int64_t> positions(static_cast<std::size_t>(count)), images;
  std::iota(positions.begin(), positions.end(), 0);
  for (const auto position : positions) images.push_back(position * num_images / count);
  const auto draws =
      core::drawFor({.labels = false, .times_per_sample = 2, .mask = true}, stageSeed(workspace.seed(), "probes"), 0,
                    positions, workspace.latent().sizes(), workspace.device());
  const auto x = workspace.trainLatents(images);
  const auto samplesWith = [&](double ratio_r_less_than_t) {
    const auto times =
        workspace.schedule().pairsFromUniforms(draws.time_uniforms, draws.mask_uniforms, ratio_r_less_than_t);
    return core::ResidualProbe{.x = x,
                               .eps = draws.eps,
                               .r = times.r.to(x.options()),
                               .t = times.t.to(x.options()),
                               .y = workspace.trainLabels(images)};
  };
  set.samples = samplesWith(config.mean_flow.ratio_r_less_than_t);
  const auto few = std::min(kFewProbes, count);
  const auto spread = torch::arange(few).mul(count).div(few, "floor").to(x.device());
  const auto jumps = samplesWith(1);
  const auto pick = [&](const torch::Tensor& tensor) { return tensor.index_select(0, spread); };
  set.jump_samples = {
      .x = pick(jumps.x), .eps = pick(jumps.eps), .r = pick(jumps.r), .t = pick(jumps.t), .y = pick(jumps.y)};
}

}  // namespace

ProbeSet meanFlowProbes(Workspace& workspace, core::DiTwDDTHead student) {
  const torch::NoGradGuard no_grad;
  const auto& mean_flow = workspace.config().mean_flow;
  auto set = studentProbes(workspace, student);
  set.teacher = guidedTeacher(workspace, mean_flow.guidance);
  set.taught = set.teacher;
  if (mean_flow.velocity == "self" || (mean_flow.velocity == "mix" && mean_flow.mix_with == "self"))
    set.taught = [u = set.u](const torch::Tensor& z, const torch::Tensor& t, const torch::Tensor& y) {
      return u(z, t, t, y);
    };
  set.oracle = core::VelocityOracle(workspace.trainLatents(), workspace.data().train_labels, workspace.numClasses());
  set.derivative = [&workspace] {
    return core::meanFlowOptions(workspace.config().mean_flow, workspace.numClasses()).derivative;
  };
  drawSamples(workspace, set);
  return set;
}

ProbeSet cmtProbes(Workspace& workspace, core::DiTwDDTHead student, core::VelocityField teacher) {
  auto set = studentProbes(workspace, student);
  set.teacher = std::move(teacher);
  return set;
}

}  // namespace meanflow::training
