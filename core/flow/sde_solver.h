// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <functional>
#include <string_view>

#include "core/flow/fields.h"
#include "core/flow/time_schedule.h"

namespace meanflow::core {

enum class SdeMethod { kEuler, kHeun };
/// Diffusion w(t) of the SDE dz = (v - w score) dt + sqrt(2 w) dW run from noise to data, linear path.
enum class DiffusionForm { kConstant, kSigma, kLinear, kDecreasing, kIncreasingDecreasing };
enum class SdeLastStep { kNone, kMean, kEuler };

/// Names as in the reference YAML ("inccreasing-decreasing" with its double c, and spelled correctly). SBDM and the
/// Tweedie step are refused with the reason: the reference's own give non-finite values from t = 1.
SdeMethod sdeMethodFromName(std::string_view name);
DiffusionForm diffusionFormFromName(std::string_view name);
SdeLastStep sdeLastStepFromName(std::string_view name);

struct SdeOptions {
  SdeMethod method = SdeMethod::kEuler;
  DiffusionForm diffusion = DiffusionForm::kSigma;
  double diffusion_norm = 1;  ///< Scale of w.
  SdeLastStep last_step = SdeLastStep::kMean;
  double last_step_size = 0.04;
  std::int64_t num_steps = 250;  ///< Grid points, as in the reference: num_steps - 1 noisy steps.
};

/// Solves the reverse SDE of the linear path on the shifted grid, from noise z. `normals(k)` returns standard normals
/// shaped like z for noisy step k. Returns the final state. Runs without autograd.
torch::Tensor solveSde(const VelocityField& v, const torch::Tensor& z, const torch::Tensor& y,
                       const TimeSchedule& schedule, const SdeOptions& options,
                       const std::function<torch::Tensor(std::int64_t)>& normals);

}  // namespace meanflow::core
