// SPDX-License-Identifier: Apache-2.0
#include "training/sampling/teacher_solver.h"

#include <torch/torch.h>

#include <string>
#include <vector>

#include "core/flow/noise.h"
#include "core/flow/ode_solver.h"
#include "core/flow/sde_solver.h"
#include "training/stages/tasks.h"

namespace meanflow::training {
namespace {

core::SdeLastStep lastStep(const std::string& name) {
  if (name == "mean") return core::SdeLastStep::kMean;
  if (name == "euler") return core::SdeLastStep::kEuler;
  return core::sdeLastStepFromName(name == "tweedie" ? "Tweedie" : name);
}

core::SdeOptions sdeOptions(const base::SamplingConfig& sampling, std::int64_t steps) {
  core::SdeOptions options;
  options.method = core::sdeMethodFromName(sampling.method);
  options.diffusion = core::diffusionFormFromName(sampling.diffusion_form);
  options.diffusion_norm = sampling.diffusion_norm;
  options.last_step = lastStep(sampling.last_step);
  options.last_step_size = sampling.last_step_size;
  options.num_steps = steps + 1;  // grid points
  return options;
}

core::OdeOptions odeOptions(const base::SamplingConfig& sampling) {
  return {.method = core::odeMethodFromName(sampling.method),
          .atol = sampling.atol,
          .rtol = sampling.rtol,
          .keep_states = false};
}

bool choosesItsSteps(core::OdeMethod method) {
  return method == core::OdeMethod::kDopri5 || method == core::OdeMethod::kBosh3;
}

}  // namespace

base::Result<void> checkSolver(const base::SamplingConfig& sampling) {
  try {
    if (sampling.mode == "sde")
      sdeOptions(sampling, 1);
    else
      odeOptions(sampling);
  } catch (const c10::Error& error) {
    return base::Error{"sampling.mode " + sampling.mode + ": " + error.what_without_backtrace(),
                       base::ErrorKind::kUsage};
  }
  return {};
}

torch::Tensor solveTeacher(const core::VelocityField& v, const torch::Tensor& z, const torch::Tensor& y,
                           const core::TimeSchedule& schedule, const base::SamplingConfig& sampling, std::int64_t steps,
                           std::uint64_t seed, std::span<const std::uint64_t> noise_indices) {
  if (sampling.mode == "sde") {
    const auto kick = [&](std::int64_t k) {
      return core::noise(stageSeed(seed, "sde step " + std::to_string(k)), core::Stream::kSdeNoise, noise_indices,
                         z.sizes().slice(1))
          .to(z.device());
    };
    return core::solveSde(v, z, y, schedule, sdeOptions(sampling, steps), kick);
  }
  const auto grid = schedule.grid(steps + 1, sampling.grid_end);
  const auto options = odeOptions(sampling);
  if (!choosesItsSteps(options.method)) return core::solveOde(v, z, y, grid, options).final();
  std::vector<torch::Tensor> rows;
  for (std::int64_t k = 0; k < z.size(0); ++k)
    rows.push_back(core::solveOde(v, z.narrow(0, k, 1), y.narrow(0, k, 1), grid, options).final());
  return torch::cat(rows);
}

}  // namespace meanflow::training
