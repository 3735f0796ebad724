// SPDX-License-Identifier: Apache-2.0
//
// The terms of Proposition 3.1 (core/base/metrics/velocity_residuals.h), measured. With h = u(z_t, r, t, y) and
// A = (t - r) grad_z h - 1, the residual that the MeanFlow loss squares is affine in the proxy velocity w:
//   rho(w) = h + (t - r)(w . grad_z h + dh/dt) - w,   rho(w) - rho(v*) = A (w - v*).
#pragma once
#include <cstdint>

#include "core/base/events/diagnostic_event.h"
#include "core/flow/fields.h"
#include "core/objectives/transport_derivative.h"

namespace meanflow::core {

/// Samples that residuals are measured on.
struct ResidualProbe {
  torch::Tensor x, eps;  ///< [B, C, H, W]
  torch::Tensor r, t;    ///< [B], r <= t
  torch::Tensor y;       ///< [B]
};

struct ResidualOptions {
  /// Of the products with grad_z h and of dh/dt; the JVP is exact.
  TransportDerivativeOptions derivative = {.kind = DerivativeKind::kJvp};
  std::int64_t batch_size = 64;  ///< Samples at a time: bounds memory.
  std::int64_t num_t_bins = 10;  ///< Equal parts of [0, 1].
};

/// rho(w) at z_t [B, C, H, W], without autograd.
torch::Tensor meanFlowResidual(const FlowMap& u, const torch::Tensor& z_t, const torch::Tensor& w,
                               const ResidualProbe& probe, const TransportDerivativeOptions& derivative);
/// A a at z_t for a [B, C, H, W], without autograd.
torch::Tensor residualMap(const FlowMap& u, const torch::Tensor& z_t, const torch::Tensor& a,
                          const ResidualProbe& probe, const TransportDerivativeOptions& derivative);

/// The four means over latent entries of every sample, float64 [B] on the CPU; see base::ResidualTerms.
struct ResidualSamples {
  torch::Tensor single_point, teacher_oracle, oracle_bias, cross;
};
/// `oracle` gives v*; `teacher` may be empty, what would need it is then NaN. u, teacher and oracle see the same
/// labels.
ResidualSamples residualSamples(const FlowMap& u, const VelocityField& oracle, const VelocityField& teacher,
                                const ResidualProbe& probe, const ResidualOptions& options = {});

/// Their means over all samples and by bins of t (bins without samples: NaN; t = 1 belongs to the last one). The caller
/// fills stage, step and eta.
base::VelocityResidualsReady measureResiduals(const FlowMap& u, const VelocityField& oracle,
                                              const VelocityField& teacher, const ResidualProbe& probe,
                                              const ResidualOptions& options = {});

}  // namespace meanflow::core
