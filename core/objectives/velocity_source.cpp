// SPDX-License-Identifier: Apache-2.0
#include "core/objectives/velocity_source.h"

#include <torch/torch.h>

#include <utility>

#include "core/nn/block_scope.h"

namespace meanflow::core {

VelocitySource VelocitySource::data() { return {Kind::kData, {}, 0}; }

VelocitySource VelocitySource::teacher(VelocityField teacher) {
  TORCH_CHECK(
      teacher,
      "mean_flow: the proxy velocity comes from the teacher, but there is none; set mean_flow.velocity to data");
  return {Kind::kTeacher, std::move(teacher), 1};
}

VelocitySource VelocitySource::self() { return {Kind::kSelf, {}, 1}; }

VelocitySource VelocitySource::mix(double eta, VelocitySource other) {
  TORCH_CHECK(eta >= 0 && eta <= 1, "mean_flow: eta must lie in [0, 1], got ", eta);
  other.eta_ *= eta;
  return other;
}

bool VelocitySource::needsTeacher(const base::MeanFlowConfig& config) {
  return config.velocity == "teacher" || (config.velocity == "mix" && config.mix_with == "teacher" && config.eta > 0);
}

VelocitySource VelocitySource::fromConfig(const base::MeanFlowConfig& config, VelocityField teacher) {
  if (config.velocity == "data") return data();
  if (config.velocity == "teacher") return VelocitySource::teacher(std::move(teacher));
  if (config.velocity == "self") return self();
  TORCH_CHECK(config.velocity == "mix", "mean_flow: unknown velocity '", config.velocity,
              "'; use teacher, data, self or mix");
  if (config.eta == 0) return data();
  return mix(config.eta, config.mix_with == "self" ? self() : VelocitySource::teacher(std::move(teacher)));
}

torch::Tensor VelocitySource::at(const FlowMap& student, const torch::Tensor& z_t, const torch::Tensor& t,
                                 const torch::Tensor& y, const torch::Tensor& x, const torch::Tensor& eps) const {
  torch::NoGradGuard no_grad;
  if (!usesNetwork()) return eps - x;
  const auto v_theta = [&] {
    const BlockScope scope(kind_ == Kind::kTeacher ? "teacher" : "self");
    return kind_ == Kind::kTeacher ? teacher_(z_t, t, y) : student(z_t, t, t, y);
  }();
  return eta_ == 1 ? v_theta : (1 - eta_) * (eps - x) + eta_ * v_theta;
}

}  // namespace meanflow::core
