// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>

#include "core/base/config/run_config.h"
#include "core/flow/fields.h"

namespace meanflow::core {

/// Classifier-free guidance (arXiv:2207.12598): v_u + scale (v_c - v_u) for rows with t_min <= t <= t_max (both
/// inclusive), v_c elsewhere. Conditional and unconditional rows go through `v` in one call of twice the batch; scale 1
/// adds no work. Throws c10::Error unless t_min < t_max.
VelocityField classifierFreeGuidance(VelocityField v, const base::GuidanceConfig& guidance, std::int64_t null_label);

/// AutoGuidance (arXiv:2406.02507): v_weak + scale (v - v_weak) inside the interval, v elsewhere; both see the same
/// label.
VelocityField autoGuidance(VelocityField v, VelocityField weak, const base::GuidanceConfig& guidance);

/// Classifier-free guidance of an average velocity, u_u + scale (u_c - u_u), at every time.
FlowMap classifierFreeGuidance(FlowMap u, double scale, std::int64_t null_label);

}  // namespace meanflow::core
