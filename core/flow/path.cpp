// SPDX-License-Identifier: Apache-2.0
#include "core/flow/path.h"

#include <torch/torch.h>

#include <numbers>

#include "core/flow/fields.h"

namespace meanflow::core {

PathKind pathKindFromName(std::string_view name) {
  if (name == "Linear") return PathKind::kLinear;
  if (name == "GVP") return PathKind::kGvp;
  if (name == "VP") return PathKind::kVp;
  TORCH_CHECK(false, "unknown path '", name, "'; use Linear, GVP or VP");
}

Prediction predictionFromName(std::string_view name) {
  if (name == "velocity") return Prediction::kVelocity;
  if (name == "noise") return Prediction::kNoise;
  if (name == "score") return Prediction::kScore;
  TORCH_CHECK(false, "unknown prediction '", name, "'; use velocity, noise or score");
}

LossWeight lossWeightFromName(std::string_view name) {
  if (name.empty() || name == "null" || name == "none" || name == "None") return LossWeight::kNone;
  if (name == "velocity") return LossWeight::kVelocity;
  if (name == "likelihood") return LossWeight::kLikelihood;
  TORCH_CHECK(false, "unknown loss weight '", name, "'; use velocity, likelihood or nothing");
}

TimeInterval trainingInterval(PathKind path, Prediction prediction) {
  if (path == PathKind::kVp) return {0, 1 - 1e-5};
  if (prediction != Prediction::kVelocity) return {1e-3, 1 - 1e-3};
  return {0, 0.999};
}

PathCoefficients pathCoefficients(PathKind path, const torch::Tensor& times) {
  const auto t = likeImage(times);
  PathCoefficients at;
  switch (path) {
    case PathKind::kLinear:
      at = {.alpha = 1 - t,
            .sigma = t,
            .d_alpha = -torch::ones_like(t),
            .d_sigma = torch::ones_like(t),
            .half_diffusion = {}};
      break;
    case PathKind::kGvp: {
      constexpr double kHalfPi = std::numbers::pi / 2;
      const auto cos = torch::cos(kHalfPi * t), sin = torch::sin(kHalfPi * t);
      at = {.alpha = cos, .sigma = sin, .d_alpha = -kHalfPi * sin, .d_sigma = kHalfPi * cos, .half_diffusion = {}};
      break;
    }
    case PathKind::kVp: {
      constexpr double kBetaMin = 0.1, kBetaRange = 19.9;
      const auto log_sigma = -0.25 * (1 - t).square() * kBetaRange - 0.5 * (1 - t) * kBetaMin;
      const auto d_log_sigma = 0.5 * (1 - t) * kBetaRange + 0.5 * kBetaMin;
      const auto sigma = torch::exp(log_sigma), alpha = torch::sqrt(1 - torch::exp(2 * log_sigma));
      return {.alpha = alpha,
              .sigma = sigma,
              .d_alpha = -sigma.square() * d_log_sigma / alpha,
              .d_sigma = sigma * d_log_sigma,
              .half_diffusion = d_log_sigma};
    }
  }
  at.half_diffusion = at.d_alpha / at.alpha * at.sigma.square() - at.sigma * at.d_sigma;
  return at;
}

torch::Tensor interpolate(const torch::Tensor& x, const torch::Tensor& eps, const torch::Tensor& t) {
  const auto weight = likeImage(t);
  return (1 - weight) * x + weight * eps;
}

torch::Tensor interpolate(const PathCoefficients& path, const torch::Tensor& x, const torch::Tensor& eps) {
  return path.alpha * x + path.sigma * eps;
}

torch::Tensor pathVelocity(const PathCoefficients& path, const torch::Tensor& x, const torch::Tensor& eps) {
  return path.d_alpha * x + path.d_sigma * eps;
}

torch::Tensor scoreFromVelocity(const torch::Tensor& v_t, const torch::Tensor& z_t, const torch::Tensor& t) {
  const auto time = likeImage(t);
  return -(z_t + (1 - time) * v_t) / time;
}

}  // namespace meanflow::core
