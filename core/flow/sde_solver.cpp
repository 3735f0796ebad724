// SPDX-License-Identifier: Apache-2.0
#include "core/flow/sde_solver.h"

#include <torch/torch.h>

#include <cmath>
#include <numbers>

#include "core/flow/path.h"

namespace meanflow::core {
namespace {

double diffusion(const SdeOptions& options, double t) {
  const double norm = options.diffusion_norm;
  switch (options.diffusion) {
    case DiffusionForm::kConstant:
      return norm;
    case DiffusionForm::kSigma:
    case DiffusionForm::kLinear:  // the same on the linear path
      return norm * t;
    case DiffusionForm::kDecreasing:
      return 0.25 * std::pow(norm * std::cos(std::numbers::pi * (1 - t)) + 1, 2);
    case DiffusionForm::kIncreasingDecreasing:
      return norm * std::pow(std::sin(std::numbers::pi * (1 - t)), 2);
  }
  TORCH_CHECK(false, "unknown diffusion form");
}

}  // namespace

SdeMethod sdeMethodFromName(std::string_view name) {
  if (name == "euler") return SdeMethod::kEuler;
  if (name == "heun") return SdeMethod::kHeun;
  TORCH_CHECK(false, "unknown SDE method '", name, "'; use euler or heun");
}

DiffusionForm diffusionFormFromName(std::string_view name) {
  if (name == "constant") return DiffusionForm::kConstant;
  if (name == "sigma") return DiffusionForm::kSigma;
  if (name == "linear") return DiffusionForm::kLinear;
  if (name == "decreasing") return DiffusionForm::kDecreasing;
  if (name == "inccreasing-decreasing" || name == "increasing-decreasing") return DiffusionForm::kIncreasingDecreasing;
  TORCH_CHECK(name != "SBDM", "diffusion form SBDM is not finite at t = 1; use sigma, linear, constant or decreasing");
  TORCH_CHECK(false, "unknown diffusion form '", name,
              "'; use constant, sigma, linear, decreasing or increasing-decreasing");
}

SdeLastStep sdeLastStepFromName(std::string_view name) {
  if (name.empty() || name == "null" || name == "none" || name == "None") return SdeLastStep::kNone;
  if (name == "Mean") return SdeLastStep::kMean;
  if (name == "Euler") return SdeLastStep::kEuler;
  TORCH_CHECK(name != "Tweedie", "last step Tweedie gives non-finite values in the reference; use Mean, Euler or none");
  TORCH_CHECK(false, "unknown last step '", name, "'; use Mean, Euler or none");
}

torch::Tensor solveSde(const VelocityField& v, const torch::Tensor& z, const torch::Tensor& y,
                       const TimeSchedule& schedule, const SdeOptions& options,
                       const std::function<torch::Tensor(std::int64_t)>& normals) {
  torch::NoGradGuard no_grad;
  const bool has_last_step = options.last_step != SdeLastStep::kNone;
  const double end = has_last_step ? options.last_step_size : 0;
  const auto velocity = [&](const torch::Tensor& state, double t) {
    return v(state, torch::full({state.size(0)}, t, state.options()), y);
  };
  const auto drift = [&](const torch::Tensor& state, double t) {
    const auto v_t = velocity(state, t);
    return v_t -
           diffusion(options, t) * scoreFromVelocity(v_t, state, torch::full({state.size(0)}, t, state.options()));
  };
  const auto times = schedule.grid(options.num_steps, end);
  auto state = z;
  for (std::size_t k = 0; k + 1 < times.size(); ++k) {
    const double t = times[k], t_next = times[k + 1], step = t - t_next;
    const auto kick = std::sqrt(2 * diffusion(options, t) * step) * normals(static_cast<std::int64_t>(k));
    if (options.method == SdeMethod::kEuler) {
      state = state - step * drift(state, t) + kick;
      continue;
    }
    const auto noisy = state + kick;
    const auto slope = drift(noisy, t);
    state = noisy - step / 2 * (slope + drift(noisy - step * slope, t_next));
  }
  if (!has_last_step) return state;
  // The reference takes the last step at the unshifted end of its interval.
  const auto slope = options.last_step == SdeLastStep::kMean ? drift(state, end) : velocity(state, end);
  return state - options.last_step_size * slope;
}

}  // namespace meanflow::core
