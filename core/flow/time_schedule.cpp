// SPDX-License-Identifier: Apache-2.0
#include "core/flow/time_schedule.h"

#include <torch/torch.h>

#include <cmath>
#include <numbers>

namespace meanflow::core {
namespace {

double normalCdf(double x) { return 0.5 * std::erfc(-x / std::numbers::sqrt2); }

/// Logit-normal restricted to [begin, end] by inverting its distribution function.
torch::Tensor truncatedLogitNormal(const torch::Tensor& u, double mu, double sigma, double begin, double end) {
  const auto cdf = [&](double t) { return normalCdf((std::log(t / (1 - t)) - mu) / sigma); };
  const double lower = begin > 0 ? cdf(begin) : 0.0, upper = end < 1 ? cdf(end) : 1.0;
  const auto normal = std::numbers::sqrt2 * torch::erfinv(2 * (lower + (upper - lower) * u) - 1);
  return torch::sigmoid(mu + sigma * normal).clamp(begin, end);
}

}  // namespace

TimeSchedule::TimeSchedule(const base::TimeConfig& config, std::int64_t latent_dim)
    : config_(config),
      shift_(config.shift > 0 ? config.shift
                              : std::sqrt(static_cast<double>(config.shift_dim > 0 ? config.shift_dim : latent_dim) /
                                          config.shift_base)) {
  TORCH_CHECK(shift_ >= 1, "time: the shift must be at least 1, got ", shift_, " (latent dimension ", latent_dim,
              ", shift_base ", config.shift_base, "); lower time.shift_base or set time.shift");
  TORCH_CHECK(config.distribution == "uniform" || config.distribution == "logit_normal", "time: unknown distribution '",
              config.distribution, "'; use uniform or logit_normal");
}

TimeSchedule TimeSchedule::withShift(double shift) {
  base::TimeConfig config;
  config.shift = shift;
  return {config, 1};
}

torch::Tensor TimeSchedule::fromUniforms(const torch::Tensor& u) const { return fromUniforms(u, 0, config_.t_max); }

torch::Tensor TimeSchedule::fromUniforms(const torch::Tensor& u, double begin, double end) const {
  if (config_.distribution == "uniform") return shifted(begin == 0 ? u * end : u * (end - begin) + begin);
  return shifted(truncatedLogitNormal(u, config_.mu, config_.sigma, begin, end));
}

TimePairs TimeSchedule::pairsFromUniforms(const torch::Tensor& u2, const torch::Tensor& u_mask,
                                          double ratio_r_less_than_t) const {
  return sortedPairs(fromUniforms(u2), u_mask, ratio_r_less_than_t);
}

std::vector<double> TimeSchedule::grid(std::int64_t num_points, double end) const {
  TORCH_CHECK(num_points >= 2, "a time grid needs at least 2 points, got ", num_points);
  std::vector<double> times(static_cast<std::size_t>(num_points));
  for (std::int64_t k = 0; k < num_points; ++k)
    times[static_cast<std::size_t>(k)] =
        shifted(1 - (1 - end) * static_cast<double>(k) / static_cast<double>(num_points - 1));
  return times;
}

TimePairs sortedPairs(const torch::Tensor& t2, const torch::Tensor& u_mask, double ratio_r_less_than_t) {
  const auto t = t2.amax(1);
  return {.r = torch::where(u_mask < 1 - ratio_r_less_than_t, t, t2.amin(1)), .t = t};
}

}  // namespace meanflow::core
