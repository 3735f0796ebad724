// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <span>

#include "core/base/config/sampling_config.h"
#include "core/base/result.h"
#include "core/flow/fields.h"
#include "core/flow/time_schedule.h"

namespace meanflow::training {

/// Whether `sampling` names a solver that exists for its mode. The error says which key to change, and to what.
base::Result<void> checkSolver(const base::SamplingConfig& sampling);

/// Draws latents with the teacher's velocity `v`: solves its ordinary or stochastic equation from noise z [B, C, H, W]
/// in `steps` steps on the shifted grid, as `sampling` (mode, method, tolerances, diffusion, last step) says. Row k
/// depends on z[k], y[k] and, with mode sde, on (seed, noise_indices[k]) alone, not on the batch: a solver that chooses
/// its own steps takes one row at a time. Runs without autograd; throws c10::Error for what checkSolver refuses.
torch::Tensor solveTeacher(const core::VelocityField& v, const torch::Tensor& z, const torch::Tensor& y,
                           const core::TimeSchedule& schedule, const base::SamplingConfig& sampling, std::int64_t steps,
                           std::uint64_t seed, std::span<const std::uint64_t> noise_indices);

}  // namespace meanflow::training
