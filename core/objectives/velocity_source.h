// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <optional>

#include "core/base/config/run_config.h"
#include "core/flow/fields.h"

namespace meanflow::core {

/// Where the proxy velocity w of the MeanFlow identity comes from.
class VelocitySource {
 public:
  /// v_hat = eps - x, the one-point estimate (MeanFlow training).
  static VelocitySource data();
  /// The frozen teacher, possibly guided (MeanFlow distillation).
  static VelocitySource teacher(VelocityField teacher);
  /// The student's own u(z, t, t, y).
  static VelocitySource self();
  /// (1 - eta) v_hat + eta other.
  static VelocitySource mix(double eta, VelocitySource other);
  /// By configuration. `teacher` (already guided) is only looked at when the configuration needs one; throws c10::Error
  /// when it is then empty.
  static VelocitySource fromConfig(const base::MeanFlowConfig& config, VelocityField teacher);
  static bool needsTeacher(const base::MeanFlowConfig& config);

  /// Whether w holds anything but v_hat.
  bool usesNetwork() const { return kind_ != Kind::kData && eta_ > 0; }
  /// Share of the network's velocity in w: 1 = all, 0 = v_hat alone.
  double eta() const { return usesNetwork() ? eta_ : 0; }

  /// w [B, C, H, W] at z_t, without autograd.
  torch::Tensor at(const FlowMap& student, const torch::Tensor& z_t, const torch::Tensor& t, const torch::Tensor& y,
                   const torch::Tensor& x, const torch::Tensor& eps) const;

 private:
  enum class Kind { kData, kTeacher, kSelf };
  VelocitySource(Kind kind, VelocityField teacher, double eta) : kind_(kind), teacher_(std::move(teacher)), eta_(eta) {}
  Kind kind_;
  VelocityField teacher_;
  double eta_;  ///< Share of the source; the rest is v_hat.
};

}  // namespace meanflow::core
