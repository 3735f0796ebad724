// SPDX-License-Identifier: Apache-2.0
#include "core/objectives/consistency_mid_training.h"

#include <torch/torch.h>

#include "core/flow/ode_solver.h"
#include "core/nn/block_scope.h"

namespace meanflow::core {
namespace {

/// Point numbers (i, j) of every pair of points, counted from the clean end, and the times that go with the points.
struct PairTable {
  torch::Tensor i, j;   ///< [N (N + 1) / 2]
  torch::Tensor times;  ///< [N + 1] float64, rising from the clean end.
};

PairTable pairTable(const Trajectories& trajectories, PairTimes pair_times) {
  const auto num_points = trajectories.numPoints();
  std::vector<std::int64_t> i_list, j_list;
  for (std::int64_t i = 1; i < num_points; ++i)
    for (std::int64_t j = 0; j < i; ++j) {
      i_list.push_back(i);
      j_list.push_back(j);
    }
  return {.i = torch::tensor(i_list, torch::kInt64),
          .j = torch::tensor(j_list, torch::kInt64),
          .times = pointTimes(trajectories, pair_times)};
}

}  // namespace

Trajectories makeTrajectories(const VelocityField& teacher, const torch::Tensor& eps, const torch::Tensor& y,
                              std::span<const double> grid) {
  const BlockScope scope("teacher");
  const auto solution = solveOde(teacher, eps, y, grid, {.method = OdeMethod::kEuler});
  return {.states = torch::stack(solution.states), .times = {grid.begin(), grid.end()}, .y = y};
}

torch::Tensor pointTimes(const Trajectories& trajectories, PairTimes pair_times) {
  if (pair_times == PairTimes::kOfficial) return torch::linspace(0, 1, trajectories.numPoints(), torch::kFloat64);
  return torch::tensor(trajectories.times, torch::kFloat64).flip(0);
}

SecantPairs selectPairs(const Trajectories& trajectories, const torch::Tensor& pair_indices, PairTimes pair_times) {
  const auto table = pairTable(trajectories, pair_times);
  const auto num_trajectories = trajectories.numTrajectories(), last = trajectories.numPoints() - 1;
  const auto flat = pair_indices.to(torch::kCPU);
  const auto trajectory = flat.remainder(num_trajectories);
  const auto pair = flat.div(num_trajectories, "floor");
  const auto i = table.i.index_select(0, pair), j = table.j.index_select(0, pair);
  const auto t = table.times.index_select(0, i), r = table.times.index_select(0, j);

  const auto points = trajectories.states.flatten(0, 1);  // [(N + 1) M, C, H, W]
  const auto state = [&](const torch::Tensor& from_clean_end) {
    return points.index_select(0, ((last - from_clean_end) * num_trajectories + trajectory).to(points.device()));
  };
  const auto z_t = state(i), z_r = state(j);
  return {.z_t = z_t,
          .t = t.to(z_t.options()),
          .r = r.to(z_t.options()),
          .u_tgt = (z_t - z_r) / likeImage((t - r).to(z_t.options())),
          .y = trajectories.y.index_select(0, trajectory.to(trajectories.y.device())),
          .i = i,
          .j = j,
          .trajectory = trajectory};
}

ConsistencyMidTrainingOptions cmtOptions(const base::CmtConfig& config, std::int64_t num_classes) {
  return {.num_classes = num_classes,
          .label_dropout = config.label_dropout,
          .pair_times = config.pair_times == "official" ? PairTimes::kOfficial : PairTimes::kSolver,
          .network_label_dropout = config.label_drop == "independent" ? config.label_dropout : 0};
}

DrawNeeds ConsistencyMidTraining::trajectoryNeeds() const {
  return {.labels = options_.label_dropout > 0, .eps = true};
}

DrawNeeds ConsistencyMidTraining::pairNeeds(std::int64_t pair_list_size) const {
  return {.labels = false,
          .eps = false,
          .pair_list_size = pair_list_size,
          .network_label_copies = options_.network_label_dropout > 0 ? 1 : 0};
}

Trajectories ConsistencyMidTraining::makeTrajectories(const VelocityField& teacher, const torch::Tensor& y,
                                                      const Draws& draws, std::span<const double> grid) const {
  return core::makeTrajectories(
      teacher, draws.eps, dropLabels(y, draws.label_uniforms, options_.label_dropout, options_.num_classes), grid);
}

LossTerms ConsistencyMidTraining::evaluate(const FlowMap& student, const Trajectories& trajectories,
                                           const Draws& draws) const {
  const auto pairs = selectPairs(trajectories, draws.pair_indices, options_.pair_times);
  const auto y =
      dropLabels(pairs.y, draws.network_label_uniforms, options_.network_label_dropout, options_.num_classes);
  const auto err = (student(pairs.z_t, pairs.r, pairs.t, y) - pairs.u_tgt).square();
  const auto loss = err.mean();
  return {.loss = loss,
          .err_sq = err.detach().flatten(1).sum(1),
          .t = pairs.t,
          .r = pairs.r,
          .scalars = {{"mse", loss.detach()}},
          .per_sample = {{"loss", err.detach().flatten(1).mean(1)}, {"target", entryRms(pairs.u_tgt)}}};
}

}  // namespace meanflow::core
