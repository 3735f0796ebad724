// SPDX-License-Identifier: Apache-2.0
#include "core/flow/guidance.h"

#include <torch/torch.h>

#include <utility>

namespace meanflow::core {
namespace {

void checkInterval(const base::GuidanceConfig& guidance) {
  TORCH_CHECK(guidance.t_min < guidance.t_max, "guidance: t_min must be below t_max (t_min=", guidance.t_min,
              ", t_max=", guidance.t_max, ")");
}

torch::Tensor activeRows(const base::GuidanceConfig& guidance, const torch::Tensor& t) {
  return (t >= guidance.t_min).logical_and(t <= guidance.t_max);
}

/// Whether the second evaluation can be left out. Only asked on the CPU: elsewhere the answer would stall the device.
bool knownInactive(const torch::Tensor& active) { return active.is_cpu() && !active.any().item<bool>(); }
/// Whether it can be left out for some rows; asked after knownInactive(), on the CPU only.
bool knownMixed(const torch::Tensor& active) { return active.is_cpu() && !active.all().item<bool>(); }

/// Conditional and unconditional halves of one call on a doubled batch.
template <class Field>
std::pair<torch::Tensor, torch::Tensor> bothHalves(const Field& field, const torch::Tensor& y,
                                                   std::int64_t null_label) {
  const auto halves = field(torch::cat({y, torch::full_like(y, null_label)})).chunk(2);
  return {halves[0], halves[1]};
}

torch::Tensor twice(const torch::Tensor& tensor) { return torch::cat({tensor, tensor}); }

}  // namespace

VelocityField classifierFreeGuidance(VelocityField v, const base::GuidanceConfig& guidance, std::int64_t null_label) {
  checkInterval(guidance);
  if (guidance.scale == 1) return v;
  return
      [v = std::move(v), guidance, null_label](const torch::Tensor& z, const torch::Tensor& t, const torch::Tensor& y) {
        const auto active = activeRows(guidance, t);
        if (knownInactive(active)) return v(z, t, y);
        if (knownMixed(active)) {  // training times: only the rows inside the interval are worth a second evaluation
          const auto rows = active.nonzero().flatten();
          const auto also = [&](const torch::Tensor& all) { return torch::cat({all, all.index_select(0, rows)}); };
          const auto both = v(also(z), also(t), torch::cat({y, torch::full_like(rows, null_label)}));
          const auto v_c = both.narrow(0, 0, z.size(0)), v_u = both.narrow(0, z.size(0), rows.size(0));
          return v_c.index_copy(0, rows, v_u + guidance.scale * (v_c.index_select(0, rows) - v_u));
        }
        const auto [v_c, v_u] =
            bothHalves([&](const torch::Tensor& labels) { return v(twice(z), twice(t), labels); }, y, null_label);
        return torch::where(likeImage(active), v_u + guidance.scale * (v_c - v_u), v_c);
      };
}

VelocityField autoGuidance(VelocityField v, VelocityField weak, const base::GuidanceConfig& guidance) {
  checkInterval(guidance);
  if (guidance.scale == 1) return v;
  return [v = std::move(v), weak = std::move(weak), guidance](const torch::Tensor& z, const torch::Tensor& t,
                                                              const torch::Tensor& y) {
    const auto v_t = v(z, t, y);
    const auto active = activeRows(guidance, t);
    if (knownInactive(active)) return v_t;
    const auto v_weak = weak(z, t, y);
    return torch::where(likeImage(active), v_weak + guidance.scale * (v_t - v_weak), v_t);
  };
}

FlowMap classifierFreeGuidance(FlowMap u, double scale, std::int64_t null_label) {
  if (scale == 1) return u;
  return [u = std::move(u), scale, null_label](const torch::Tensor& z, const torch::Tensor& r, const torch::Tensor& t,
                                               const torch::Tensor& y) {
    const auto [u_c, u_u] =
        bothHalves([&](const torch::Tensor& labels) { return u(twice(z), twice(r), twice(t), labels); }, y, null_label);
    return u_u + scale * (u_c - u_u);
  };
}

}  // namespace meanflow::core
