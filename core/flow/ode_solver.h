// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "core/base/config/run_config.h"
#include "core/flow/fields.h"

namespace meanflow::core {

/// Named and defined as in torchdiffeq: kHeun2 is the explicit trapezoid, kRk4 the 3/8 rule.
enum class OdeMethod { kEuler, kMidpoint, kHeun2, kHeun3, kRk4, kDopri5, kBosh3 };
/// "euler", "midpoint", "heun2", "heun3", "rk4", "dopri5", "bosh3". Throws c10::Error for any other name.
OdeMethod odeMethodFromName(std::string_view name);

struct OdeOptions {
  OdeMethod method = OdeMethod::kEuler;
  double atol = 1e-6;  ///< Adaptive methods only.
  double rtol = 1e-3;
  bool keep_states = true;  ///< false: `states` holds only the last one.
};

struct OdeSolution {
  std::vector<torch::Tensor> states;  ///< States at the grid's times, states.front() is the start.
  std::int64_t nfe = 0;               ///< Calls of the velocity field.
  const torch::Tensor& final() const { return states.back(); }
};

/// Solves dz/dt = v(z, t, y) through `times` (monotonic; sampling goes down from 1). Fixed-step methods step from point
/// to point; dopri5 and bosh3 choose their own steps and report the points by dense output. Runs without autograd.
OdeSolution solveOde(const VelocityField& v, const torch::Tensor& z, const torch::Tensor& y,
                     std::span<const double> times, const OdeOptions& options = {});

/// The Euler/Heun sampler of the reference's preview code: uniform grid linspace(1, 0, num_steps + 1), its last step
/// always Euler. Guidance is on for a whole step, both of Heun's evaluations, when the step starts inside the interval.
torch::Tensor sampleUniformGrid(const VelocityField& v, const torch::Tensor& z, const torch::Tensor& y,
                                std::int64_t num_steps, bool heun, const base::GuidanceConfig& guidance,
                                std::int64_t null_label);

}  // namespace meanflow::core
