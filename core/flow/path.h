// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <torch/types.h>

#include <string_view>

namespace meanflow::core {

/// How data and noise are mixed: z_t = alpha(t) x + sigma(t) eps (SiT, arXiv:2401.08740). Everything in the studio
/// trains on kLinear; the other two exist to read and check SiT-style settings.
enum class PathKind {
  kLinear,  ///< alpha = 1 - t, sigma = t
  kGvp,     ///< alpha = cos(pi t / 2), sigma = sin(pi t / 2)
  kVp,      ///< sigma = exp(-0.25 (1 - t)^2 (20 - 0.1) - 0.05 (1 - t)), alpha = sqrt(1 - sigma^2), as in bytetriper/RAE
};
/// What the network's output means.
enum class Prediction { kVelocity, kNoise, kScore };
/// Weight of the loss of noise and score predictions.
enum class LossWeight { kNone, kVelocity, kLikelihood };

/// Names as in the reference YAML (Linear | GVP | VP, velocity | noise | score, velocity | likelihood | anything
/// empty). Throw c10::Error for other names.
PathKind pathKindFromName(std::string_view name);
Prediction predictionFromName(std::string_view name);
LossWeight lossWeightFromName(std::string_view name);

/// Times that training draws from before the shift.
struct TimeInterval {
  double begin = 0, end = 1;
};
/// Where loss and target stay finite: the reference keeps 1e-3 clear of both ends for noise and score predictions, 1e-5
/// of the noise end on kVp, and its velocity models end at 0.999 (bytetriper/RAE Transport.check_interval).
TimeInterval trainingInterval(PathKind path, Prediction prediction);

/// Coefficients at times t [B] and their time derivatives, each [B, 1, 1, 1].
struct PathCoefficients {
  torch::Tensor alpha, sigma, d_alpha, d_sigma;
  /// What the reference weighs noise and score losses with: alpha' / alpha sigma^2 - sigma sigma' (negative, the
  /// reference does not turn its sign with the direction of time), on kVp half of beta.
  torch::Tensor half_diffusion;
};
PathCoefficients pathCoefficients(PathKind path, const torch::Tensor& t);

/// z_t = (1 - t) x + t eps; t [B].
torch::Tensor interpolate(const torch::Tensor& x, const torch::Tensor& eps, const torch::Tensor& t);
/// z_t on any path, and the velocity alpha' x + sigma' eps that points along it.
torch::Tensor interpolate(const PathCoefficients& path, const torch::Tensor& x, const torch::Tensor& eps);
torch::Tensor pathVelocity(const PathCoefficients& path, const torch::Tensor& x, const torch::Tensor& eps);

/// Score of the linear path's marginal from its velocity: -(z + (1 - t) v) / t; t [B], t > 0.
torch::Tensor scoreFromVelocity(const torch::Tensor& v_t, const torch::Tensor& z_t, const torch::Tensor& t);

}  // namespace meanflow::core
