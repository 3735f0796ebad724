// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "core/flow/fields.h"
#include "core/flow/path.h"
#include "core/flow/time_schedule.h"
#include "core/objectives/draws.h"
#include "core/objectives/loss_terms.h"

namespace meanflow::core {

struct FlowMatchingOptions {
  std::int64_t num_classes = 0;  ///< Also the null label.
  double label_dropout = 0.1;
  PathKind path = PathKind::kLinear;
  Prediction prediction = Prediction::kVelocity;
  LossWeight weight = LossWeight::kNone;
};

/// Flow matching (arXiv:2210.02747; numbers follow bytetriper/RAE Transport.training_losses): the mean over samples and
/// latent entries of (v(z_t, t, y) - (eps - x))^2.
class FlowMatching {
 public:
  FlowMatching(FlowMatchingOptions options, TimeSchedule schedule);
  DrawNeeds needs() const;
  /// x [B, C, H, W] data latents, y [B] labels.
  LossTerms evaluate(const VelocityField& v, const torch::Tensor& x, const torch::Tensor& y, const Draws& draws) const;
  /// The loss at given times t [B] with labels that have been dropped already.
  LossTerms evaluateAt(const VelocityField& v, const torch::Tensor& x, const torch::Tensor& eps, const torch::Tensor& t,
                       const torch::Tensor& y) const;

 private:
  FlowMatchingOptions options_;
  TimeSchedule schedule_;
};

}  // namespace meanflow::core
