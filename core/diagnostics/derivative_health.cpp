// SPDX-License-Identifier: Apache-2.0
#include "core/diagnostics/derivative_health.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace meanflow::core {
namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();

TransportPoint inDouble(const TransportPoint& at) {
  const auto wide = [](const torch::Tensor& tensor) { return tensor.to(torch::kFloat64); };
  return {
      .z_t = wide(at.z_t), .w = wide(at.w), .r = wide(at.r), .t = wide(at.t), .y = at.y, .y_plus = {}, .y_minus = {}};
}

/// |difference - exact| / |exact| over the batch; `exact` is float64.
double errorAt(const FlowMap& u, const TransportPoint& at, TransportDerivativeOptions options, double delta_t,
               const torch::Tensor& exact) {
  options.kind = DerivativeKind::kFiniteDifference;
  options.delta_t = delta_t;
  const auto difference = transportDerivative(u, at, options).to(torch::kFloat64);
  return ((difference - exact).norm() / exact.norm().clamp_min(std::numeric_limits<double>::min())).item<double>();
}

/// Number of the smallest error. Looked for where the logarithms, averaged with their neighbours, are smallest: one
/// lucky value far from the others does not decide. Errors that are not finite count as endless.
std::size_t smallestOf(const std::vector<double>& errors) {
  const auto finite = [&](std::size_t i) { return std::isfinite(errors[i]) ? errors[i] : kNever; };
  // Beyond an end its only neighbour counts once more: it is no easier to be lucky there.
  const auto logAt = [&](std::size_t i) { return std::log(std::max(finite(i), std::numeric_limits<double>::min())); };
  const std::size_t last = errors.size() - 1;
  if (last == 0) return 0;
  std::size_t centre = 0;
  double lowest = kNever;
  for (std::size_t i = 0; i <= last; ++i) {
    const double sum = logAt(i == 0 ? 1 : i - 1) + logAt(i) + logAt(i == last ? last - 1 : i + 1);
    if (sum < lowest) lowest = sum, centre = i;
  }
  std::size_t best = centre;
  for (const auto i : {centre == 0 ? centre : centre - 1, std::min(centre + 1, last)})
    if (finite(i) < finite(best)) best = i;
  return best;
}

}  // namespace

std::vector<double> logSpacedSteps(double first, double last, std::int64_t count) {
  std::vector<double> steps;
  for (std::int64_t i = 0; i < count; ++i)
    steps.push_back(first * std::pow(last / first, static_cast<double>(i) / static_cast<double>(count - 1)));
  return steps;
}

base::DerivativeHealthReady measureDerivativeHealth(const FlowMap& u, const TransportPoint& at,
                                                    const DerivativeHealthOptions& options, const FlowMap& u64) {
  TORCH_CHECK(!options.deltas.empty() && at.z_t.size(0) > 0, "derivative health: nothing to measure on");
  const auto wide = inDouble(at);
  const TransportDerivativeOptions jvp = {.kind = DerivativeKind::kJvp};
  const auto exact = u64 ? transportDerivative(u64, wide, jvp) : transportDerivative(u, at, jvp).to(torch::kFloat64);
  base::DerivativeHealthReady event;
  event.precision = options.precision;
  std::vector<double> errors;
  for (const double delta : options.deltas) {
    errors.push_back(errorAt(u, at, options.in_use, delta, exact));
    event.deltas.push_back(static_cast<float>(delta));
    event.errors.push_back(static_cast<float>(errors.back()));
    if (u64) event.errors_fp64.push_back(static_cast<float>(errorAt(u64, wide, options.in_use, delta, exact)));
  }
  const auto best = smallestOf(errors);
  const bool is_exact = options.in_use.kind == DerivativeKind::kJvp;
  event.delta_t = is_exact ? 0 : options.in_use.delta_t;
  if (std::isfinite(errors[best])) event.suggested_delta_t = options.deltas[best];
  if (is_exact) {
    event.verdict = "healthy";
  } else if (std::isfinite(errors[best])) {
    const double error = errorAt(u, at, options.in_use, options.in_use.delta_t, exact);
    const bool is_below = options.in_use.delta_t < options.deltas[best];
    const double negligible = is_below ? options.negligible_rounding : options.negligible_truncation;
    if (error <= std::max(negligible, options.tolerated_factor * errors[best]))
      event.verdict = "healthy";
    else
      event.verdict = is_below ? "rounding" : "truncation";
  }
  return event;
}

}  // namespace meanflow::core
