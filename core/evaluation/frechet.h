// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <torch/torch.h>

namespace meanflow::core {

/// Mean [F] and covariance [F, F] (divisor count - 1, as numpy.cov) of features, both float64 on the CPU.
struct Moments {
  torch::Tensor mean;
  torch::Tensor covariance;
  std::int64_t count = 0;
};

/// Collects Moments batch by batch in float64, by pairwise updates that do not lose digits to large means
/// (Chan, Golub and LeVeque 1979).
class MomentAccumulator {
 public:
  /// features [B, F], any floating type or device; F is fixed by the first batch.
  void add(const torch::Tensor& features);
  /// Adds what another worker collected.
  void merge(const MomentAccumulator& other);
  std::int64_t count() const { return count_; }
  /// Throws c10::Error with fewer than two rows.
  Moments finish() const;

 private:
  std::int64_t count_ = 0;
  torch::Tensor mean_;     // [F]
  torch::Tensor scatter_;  // [F, F]: sum of outer products of deviations
};

/// Moments of all rows of features [N, F].
Moments momentsOf(const torch::Tensor& features);

/// Frechet distance of two Gaussians: |m1 - m2|^2 + tr(C1) + tr(C2) - 2 tr((C1 C2)^(1/2)). The last trace is the sum of
/// the roots of the eigenvalues of C1^(1/2) C2 C1^(1/2), negative ones (rounding) taken as 0: well defined for
/// singular covariances too. Throws c10::Error when the widths differ.
double frechetDistance(const Moments& a, const Moments& b);

/// frechetDistance divided by the trace of the reference's covariance: independent of the scale of the features.
double relativeFrechetDistance(const Moments& samples, const Moments& reference);

}  // namespace meanflow::core
