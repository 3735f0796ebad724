// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "core/flow/fields.h"

namespace meanflow::core {

enum class DerivativeKind { kFiniteDifference, kJvp };

struct TransportDerivativeOptions {
  DerivativeKind kind = DerivativeKind::kFiniteDifference;
  double delta_t = 0.005;  ///< Step of the central difference.
  bool clamp_times =
      true;          ///< Keep the two times within [r, t_end]: one-sided where t is closer than delta_t to either.
  double t_end = 1;  ///< End of the schedule.
};

/// Where and along what to differentiate. Labels may differ between the two shifted copies (the released code's
/// independent label drops); the JVP uses y.
struct TransportPoint {
  torch::Tensor z_t;      ///< [B, C, H, W]
  torch::Tensor w;        ///< [B, C, H, W] direction: proxy velocity
  torch::Tensor r, t;     ///< [B]
  torch::Tensor y;        ///< [B]
  torch::Tensor y_plus;   ///< [B]; undefined = y
  torch::Tensor y_minus;  ///< [B]; undefined = y
};

/// Total derivative of u along the flow, d/dt u = w . grad_z u + du/dt at fixed r: central finite difference over both
/// copies in one batch (the reference uses delta 0.005) or forward-mode JVP, for which u attends by attend() (fused
/// kernels have no tangent). No autograd through the result. Under clamp_times a row whose interval has no length (r =
/// t = t_end) gives 0.
torch::Tensor transportDerivative(const FlowMap& u, const TransportPoint& at,
                                  const TransportDerivativeOptions& options);

/// Derivative along w at fixed times, w . grad_z u: what transportDerivative() is without its du/dt. delta_t is then
/// the length of the step in units of w; there are no times to clamp. No autograd through the result.
torch::Tensor spatialDerivative(const FlowMap& u, const TransportPoint& at, const TransportDerivativeOptions& options);

}  // namespace meanflow::core
