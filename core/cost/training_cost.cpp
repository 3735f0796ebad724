// SPDX-License-Identifier: Apache-2.0
#include "core/cost/training_cost.h"

#include <fmt/format.h>

namespace meanflow::core {
namespace {

constexpr double kSecondsPerDay = 86400;

std::string proxyName(Proxy proxy) {
  switch (proxy) {
    case Proxy::kTeacher:
      return "MFD";
    case Proxy::kData:
      return "MFT";
    case Proxy::kSelf:
      return "MeanFlow with w = u(z, t, t)";
    case Proxy::kMixTeacher:
      return "mixture of data and teacher";
    case Proxy::kMixSelf:
      return "mixture of data and u(z, t, t)";
  }
  return {};
}

bool needsTeacher(Proxy proxy) { return proxy == Proxy::kTeacher || proxy == Proxy::kMixTeacher; }
bool needsSelf(Proxy proxy) { return proxy == Proxy::kSelf || proxy == Proxy::kMixSelf; }

}  // namespace

ObjectiveCost flowMatchingCost(const TrainingSetting& setting) {
  const double F = setting.student.macs();
  return {.name = "flow matching",
          .formula = "F + 2F + E",
          .source = "RAE transport.py, training_losses",
          .student_forward = F,
          .student_backward = 2 * F,
          .encoder = setting.encoder_macs};
}

ObjectiveCost midTrainingCost(const TrainingSetting& setting, bool encodes_images) {
  const double F = setting.student.macs(), T = setting.teacher.macs() * setting.teacher_calls;
  return {.name = "CMT (a pair)",
          .formula = fmt::format("F + 2F + ({} T{}{}) / {:.4g} pairs a trajectory", setting.euler_steps,
                                 setting.teacher_calls > 1 ? " x 2 for guidance" : "", encodes_images ? " + E" : "",
                                 setting.pairs_per_trajectory),
          .source = "mf-rae transport.py, training_losses_cmt_v2",
          .student_forward = F,
          .student_backward = 2 * F,
          .teacher_forward = setting.euler_steps * T / setting.pairs_per_trajectory,
          .encoder = encodes_images ? setting.encoder_macs / setting.pairs_per_trajectory : 0};
}

ObjectiveCost meanFlowCost(const TrainingSetting& setting, Proxy proxy, Derivative derivative, Evaluation evaluation) {
  const double F = setting.student.macs(), J = jvpMacs(setting.student), ratio = setting.ratio_r_less_than_t;
  ObjectiveCost cost;
  const bool is_official = evaluation == Evaluation::kOfficial;
  cost.name = fmt::format("{}, {}, {}", proxyName(proxy), derivative == Derivative::kJvp ? "JVP" : "finite difference",
                          is_official ? "all in the graph" : "only what is needed");
  if (derivative == Derivative::kFiniteDifference && is_official) {
    // u, u+ and u- are one batch of 3 B in one graph; zero gradients still travel through u+ and u-.
    cost.formula = "3F + 6F";
    cost.source = "mf-rae transport.py, training_losses_mfd and _mft";
    cost.student_forward = 3 * F;
    cost.student_backward = 6 * F;
  } else if (derivative == Derivative::kFiniteDifference) {
    cost.formula = fmt::format("F + 2F + {:.3g} x 2F", ratio);
    cost.source = "core/objectives/mean_flow.cpp: u+ and u- without a graph and only where r < t";
    cost.student_forward = F + ratio * 2 * F;
    cost.student_backward = 2 * F;
  } else if (is_official) {
    cost.formula = "J + 2F";
    cost.source = "one jvp gives u and du/dt of all rows, as in zhuyu-cs/MeanFlow";
    cost.student_forward = J;
    cost.student_backward = 2 * F;
  } else {
    cost.formula = fmt::format("F + 2F + {:.3g} J", ratio);
    cost.source = "core/objectives/transport_derivative.cpp: forward-mode derivative only where r < t";
    cost.student_forward = F + ratio * J;
    cost.student_backward = 2 * F;
  }
  if (needsSelf(proxy)) {
    cost.student_forward += F;
    cost.formula += " + F";
  }
  if (needsTeacher(proxy)) {
    cost.teacher_forward = setting.teacher.macs() * setting.teacher_calls;
    cost.formula += setting.teacher_calls > 1 ? " + 2T" : " + T";
  }
  cost.encoder = setting.encoder_macs;
  cost.formula += " + E";
  return cost;
}

std::vector<ObjectiveCost> allObjectives(const TrainingSetting& setting) {
  std::vector<ObjectiveCost> costs = {flowMatchingCost(setting), midTrainingCost(setting, true)};
  for (const auto proxy : {Proxy::kTeacher, Proxy::kData, Proxy::kMixTeacher, Proxy::kMixSelf})
    for (const auto derivative : {Derivative::kFiniteDifference, Derivative::kJvp})
      for (const auto evaluation : {Evaluation::kOfficial, Evaluation::kNeeded})
        costs.push_back(meanFlowCost(setting, proxy, derivative, evaluation));
  return costs;
}

double gpuDays(double flops, double flops_per_second) { return flops / flops_per_second / kSecondsPerDay; }

}  // namespace meanflow::core
