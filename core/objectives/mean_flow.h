// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "core/base/config/run_config.h"
#include "core/flow/fields.h"
#include "core/flow/time_schedule.h"
#include "core/objectives/draws.h"
#include "core/objectives/loss_terms.h"
#include "core/objectives/transport_derivative.h"
#include "core/objectives/velocity_source.h"

namespace meanflow::core {

struct MeanFlowOptions {
  std::int64_t num_classes = 0;  ///< Also the null label.
  double label_dropout = 0.1;
  double ratio_r_less_than_t = 0.25;
  double adaptive_p = 1;  ///< Loss weight (L + c)^-p; 0 = plain sum of squares.
  double adaptive_c = 1e-3;
  bool adaptive_squared = false;  ///< The released code's L^2 / (L^2 + c)^p instead of L / (L + c)^p.
  /// > 0: every copy (u, u+, u-) drops its label once more and independently, as the released code's network does in
  /// training mode (0.1). 0: one drop, shared by all.
  double network_label_dropout = 0;
  TransportDerivativeOptions derivative = {};
};
MeanFlowOptions meanFlowOptions(const base::MeanFlowConfig& config, std::int64_t num_classes);

/// Inputs and regression target of one batch; nothing here carries a gradient.
struct MeanFlowTarget {
  torch::Tensor z_t, w, u_tgt;  ///< [B, C, H, W]
  torch::Tensor r, t;           ///< [B]
  torch::Tensor y;              ///< [B] label of u (after both drops)
  torch::Tensor du_dt_rms;      ///< [B] root mean square of du/dt; NaN where r = t, which has none.
};

/// The MeanFlow identity u = w - (t - r) du/dt as a regression (arXiv:2505.13447). The velocity source makes it
/// MeanFlow training (data), distillation (teacher) or a mixture; numbers follow sony/mf-rae training_losses_mfd and
/// _mft. u+ and u- are evaluated without autograd and only for samples with r < t (the others' derivative is multiplied
/// by zero).
class MeanFlow {
 public:
  MeanFlow(MeanFlowOptions options, TimeSchedule schedule, VelocitySource velocity);
  DrawNeeds needs() const;
  MeanFlowTarget target(const FlowMap& u, const torch::Tensor& x, const torch::Tensor& y, const Draws& draws) const;
  LossTerms evaluate(const FlowMap& u, const torch::Tensor& x, const torch::Tensor& y, const Draws& draws) const;

 private:
  MeanFlowOptions options_;
  TimeSchedule schedule_;
  VelocitySource velocity_;
};

}  // namespace meanflow::core
