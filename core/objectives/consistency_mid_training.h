// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <span>
#include <vector>

#include "core/base/config/run_config.h"
#include "core/flow/fields.h"
#include "core/objectives/draws.h"
#include "core/objectives/loss_terms.h"

namespace meanflow::core {

/// Teacher trajectories from noise to data.
struct Trajectories {
  torch::Tensor states;       ///< [N + 1, M, C, H, W]; states[0] is the noise.
  std::vector<double> times;  ///< N + 1 solver times, falling from 1.
  torch::Tensor y;            ///< [M] labels the teacher saw (after label dropout); the student sees the same.

  std::int64_t numPoints() const { return static_cast<std::int64_t>(times.size()); }
  std::int64_t numTrajectories() const { return states.size(1); }
  /// Length of the pair list: N (N + 1) / 2 pairs of points for each trajectory.
  std::int64_t numPairs() const { return numPoints() * (numPoints() - 1) / 2 * numTrajectories(); }
};

/// Euler trajectories of the teacher over `grid` (falling, grid.size() - 1 evaluations). eps [M, C, H, W], y [M]. No
/// autograd.
Trajectories makeTrajectories(const VelocityField& teacher, const torch::Tensor& eps, const torch::Tensor& y,
                              std::span<const double> grid);

/// Which times the student is told for a pair of trajectory points.
enum class PairTimes {
  kSolver,    ///< Those at which the solver visited the points.
  kOfficial,  ///< The released code's: uniform in [0, 1] by point number, whatever grid the solver used.
};

/// Training pairs: the average velocity from `z_t` at t to another point at r < t of the same trajectory.
struct SecantPairs {
  torch::Tensor z_t;    ///< [P, C, H, W]
  torch::Tensor t, r;   ///< [P], in the dtype of z_t.
  torch::Tensor u_tgt;  ///< [P, C, H, W]
  torch::Tensor y;      ///< [P]
  torch::Tensor i,
      j;  ///< [P] int64, on the CPU: point numbers of z_t and of the other end, counted from the clean end.
  torch::Tensor trajectory;  ///< [P] int64, on the CPU.
};

/// Times that pairs are given, by point number counted from the clean end: [N + 1] float64, rising.
torch::Tensor pointTimes(const Trajectories& trajectories, PairTimes pair_times);

/// Picks entries of the pair list. Order of the list, counting points from the clean end: i = 1..N outer, j = 0..i-1,
/// then the trajectory; t belongs to i and r to j. pair_indices [P] int64 in [0, trajectories.numPairs()).
SecantPairs selectPairs(const Trajectories& trajectories, const torch::Tensor& pair_indices, PairTimes pair_times);

struct ConsistencyMidTrainingOptions {
  std::int64_t num_classes = 0;  ///< Also the null label.
  double label_dropout = 0.1;    ///< Share of trajectories made with the null label.
  PairTimes pair_times = PairTimes::kSolver;
  double network_label_dropout = 0;  ///< The released code drops labels a second time, for the student alone (0.1).
};
ConsistencyMidTrainingOptions cmtOptions(const base::CmtConfig& config, std::int64_t num_classes);

/// Consistency mid-training: regresses u(z_t, r, t, y) onto secants of teacher trajectories, mean squared error
/// (numbers follow sony/mf-rae Transport.training_losses_cmt_v2).
class ConsistencyMidTraining {
 public:
  explicit ConsistencyMidTraining(ConsistencyMidTrainingOptions options) : options_(options) {}

  /// Draws for making trajectories (labels, eps), one sample per trajectory.
  DrawNeeds trajectoryNeeds() const;
  /// Draws for one step's pairs out of a list of `pair_list_size`, one sample per pair.
  DrawNeeds pairNeeds(std::int64_t pair_list_size) const;

  /// Drops labels by draws.label_uniforms, then follows the teacher from draws.eps.
  Trajectories makeTrajectories(const VelocityField& teacher, const torch::Tensor& y, const Draws& draws,
                                std::span<const double> grid) const;
  /// Uses draws.pair_indices (and network_label_uniforms where that drop is on).
  LossTerms evaluate(const FlowMap& student, const Trajectories& trajectories, const Draws& draws) const;

 private:
  ConsistencyMidTrainingOptions options_;
};

}  // namespace meanflow::core
