// SPDX-License-Identifier: Apache-2.0
#include "training/diagnostics/stage_probes.h"

#include <torch/torch.h>

#include <algorithm>
#include <chrono>
#include <exception>

#include "core/diagnostics/derivative_health.h"
#include "core/flow/path.h"

namespace meanflow::training {
namespace {

constexpr std::int64_t kJumpKnots = 8;  // intervals between the knots of the map
constexpr const char* kKindNames[] = {"the residuals of Proposition 3.1", "the error of the finite difference",
                                      "the map of the student's jumps"};
constexpr const char* kKindSettings[] = {"residuals_every", "derivative_every", "jump_map_every"};

}  // namespace

StageProbes::StageProbes(StageTask& task, const base::RunConfig& config, const Worker& worker)
    : task_(task), config_(config), worker_(worker) {}

bool StageProbes::isDue(Kind kind, std::int64_t step) const {
  const auto& diagnostics = config_.diagnostics;
  const std::int64_t every[] = {diagnostics.residuals_every, diagnostics.derivative_every, diagnostics.jump_map_every};
  return every[kind] > 0 && step % every[kind] == 0;
}

bool StageProbes::isAnyDue(std::int64_t step) const {
  // By the settings alone: ranks must agree on whether they meet, and a failure is known to the leader only.
  return isDue(kResiduals, step) || isDue(kDerivative, step) || isDue(kJumpMap, step);
}

std::vector<base::TrainingEvent> StageProbes::due(std::int64_t step) {
  std::vector<base::TrainingEvent> events;
  if (!isAnyDue(step)) return events;
  if (worker_.isLeader()) {
    using Clock = std::chrono::steady_clock;
    const auto began = Clock::now();
    for (const auto kind : {kResiduals, kDerivative, kJumpMap})
      if (isDue(kind, step) && !has_failed_[kind]) measure(kind, step, events);
    spent_seconds_ += std::chrono::duration<double>(Clock::now() - began).count();
  }
  worker_.barrier();
  return events;
}

void StageProbes::measure(Kind kind, std::int64_t step, std::vector<base::TrainingEvent>& events) {
  const torch::NoGradGuard no_grad;
  const auto fail = [&](const std::string& why) {
    has_failed_[kind] = true;
    events.push_back(base::LogMessage{"warn", task_.name() + ": " + kKindNames[kind] +
                                                  " could not be measured and will not be tried again in this stage "
                                                  "(set diagnostics." +
                                                  kKindSettings[kind] + " to 0 to leave it out): " + why});
  };
  try {
    if (!is_set_made_) set_ = task_.probes();
    is_set_made_ = true;
    if (!set_) return;
    if (kind == kResiduals) measureResiduals(step, events);
    if (kind == kDerivative) measureDerivative(step, events);
    if (kind == kJumpMap) measureJumps(step, events);
  } catch (const c10::Error& error) {
    fail(error.what_without_backtrace());
  } catch (const std::exception& error) {
    fail(error.what());
  }
}

void StageProbes::measureResiduals(std::int64_t step, std::vector<base::TrainingEvent>& events) const {
  if (!set_->oracle) return;
  auto event = core::measureResiduals(set_->u, set_->oracle, set_->taught, set_->samples);
  event.stage = task_.name();
  event.step = step;
  event.eta = set_->velocity.eta();
  events.push_back(std::move(event));
}

void StageProbes::measureDerivative(std::int64_t step, std::vector<base::TrainingEvent>& events) const {
  if (!set_->oracle) return;
  const auto& [x, eps, r, t, y] = set_->jump_samples;
  const auto z_t = core::interpolate(x, eps, t);
  const core::TransportPoint at{.z_t = z_t,
                                .w = set_->velocity.at(set_->u, z_t, t, y, x, eps),
                                .r = r,
                                .t = t,
                                .y = y,
                                .y_plus = {},
                                .y_minus = {}};
  core::DerivativeHealthOptions options;
  options.in_use = set_->derivative();
  options.precision = set_->precision;
  auto event =
      core::measureDerivativeHealth(set_->u, at, options, set_->copyInDouble ? set_->copyInDouble() : core::FlowMap());
  event.stage = task_.name();
  event.step = step;
  events.push_back(std::move(event));
}

void StageProbes::measureJumps(std::int64_t step, std::vector<base::TrainingEvent>& events) {
  if (!set_->teacher) return;
  const auto num_points = static_cast<std::int64_t>(set_->grid.size());
  if (!jumps_)
    jumps_ = std::make_unique<core::JumpMap>(
        set_->teacher, set_->z, set_->y, set_->grid,
        core::everyNth(num_points, std::max<std::int64_t>(1, (num_points - 1) / kJumpKnots)), "fine");
  auto event = jumps_->measure(set_->u);
  event.stage = task_.name();
  event.step = step;
  events.push_back(std::move(event));
}

}  // namespace meanflow::training
