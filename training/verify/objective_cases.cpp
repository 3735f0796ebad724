// SPDX-License-Identifier: Apache-2.0
#include "training/verify/objective_cases.h"

#include "core/objectives/consistency_mid_training.h"
#include "core/objectives/flow_matching.h"
#include "training/verify/flow_cases.h"
#include "training/verify/model_cases.h"

namespace meanflow::training {
namespace {

double entriesPerSample(const torch::Tensor& x) { return static_cast<double>(x.numel() / x.size(0)); }

/// What all parts of a flow-matching case share.
struct FlowMatchingInputs {
  torch::Tensor x, eps, y;
  std::int64_t num_classes = 0;
  double shift = 1;
};

core::Draws drawsOf(const CaseFolder& folder, const FlowMatchingInputs& in) {
  core::Draws draws;
  draws.eps = in.eps;
  draws.time_uniforms = folder.host("u", {in.x.size(0)});
  return draws;
}

/// Loss on other paths and predictions, names PATH.PREDICTION.WEIGHT.loss; where the file has only the times and not
/// the uniforms they came from, at those.
void checkOtherPaths(const CaseFolder& folder, CaseChecker& checker, const core::VelocityField& v,
                     const FlowMatchingInputs& in) {
  const std::string suffix = ".loss";
  for (const auto& name : folder.names("io")) {
    if ((name.rfind("GVP.", 0) != 0 && name.rfind("VP.", 0) != 0 && name.rfind("Linear.", 0) != 0) ||
        !name.ends_with(suffix))
      continue;
    const auto start = name.substr(0, name.size() - suffix.size());
    const auto first = start.find('.'), second = start.find('.', first + 1);
    if (second == std::string::npos) continue;
    const core::FlowMatching objective(
        {.num_classes = in.num_classes,
         .label_dropout = 0,
         .path = core::pathKindFromName(start.substr(0, first)),
         .prediction = core::predictionFromName(start.substr(first + 1, second - first - 1)),
         .weight = core::lossWeightFromName(start.substr(second + 1))},
        core::TimeSchedule::withShift(in.shift));
    const auto drawn = objective.evaluate(v, in.x, in.y, drawsOf(folder, in));
    checker.checkIfPresent(start + ".t", drawn.t);
    // The loss at the recorded times: near the ends it magnifies the last bit of t.
    const auto t = folder.has(start + ".t") ? folder.io(start + ".t", {in.x.size(0)}) : drawn.t;
    checker.check(name, objective.evaluateAt(v, in.x, in.eps, t, in.y).err_sq / entriesPerSample(in.x));
  }
}

}  // namespace

void runFlowMatchingLoss(const CaseFolder& folder, CaseChecker& checker) {
  const auto config = folder.config();
  auto network = makeDdt(folder, config.at("model"), "weights", /*is_student=*/false);
  const auto v = core::velocityField(network);
  const auto& options = network->options();
  const auto side = options.input_size;
  FlowMatchingInputs in;
  in.x = folder.io("z0", {-1, options.in_channels, side, side});
  in.eps = folder.io("noise", in.x.sizes());
  in.num_classes = options.num_classes;
  in.y = folder.labels("y", {in.x.size(0)}, in.num_classes);
  in.shift = config.number("shift", 1, 1e6);
  if (folder.has("time_dist_shift") && config.has("shift_dim")) {
    base::TimeConfig time;
    time.shift_base = config.numberOr("shift_base", time.shift_base, 1);
    const core::TimeSchedule schedule(time, config.integer("shift_dim", 1, std::int64_t{1} << 40));
    checker.check("time_dist_shift", torch::tensor(schedule.shift(), torch::kFloat64));
  }
  for (const auto& entry : folder.names("io")) {
    if (!entry.ends_with(".xt")) continue;  // every distribution of times has its NAME.xt
    const auto name = entry.substr(0, entry.size() - 3);
    const core::TimeSchedule schedule(timeConfigFromName(name, in.shift), 1);
    const core::FlowMatching objective({.num_classes = in.num_classes, .label_dropout = 0}, schedule);
    network->zero_grad();
    const auto terms = objective.evaluate(v, in.x, in.y, drawsOf(folder, in));
    terms.loss.backward();
    checker.check(name + ".t", terms.t);
    const auto z_t = core::interpolate(in.x, in.eps, terms.t);
    checker.check(name + ".xt", z_t);
    checker.checkIfPresent(name + ".ut",
                           core::pathVelocity(core::pathCoefficients(core::PathKind::kLinear, terms.t), in.x, in.eps));
    checker.checkIfPresent(name + ".pred", v(z_t, terms.t, in.y));
    checker.check(name + ".loss", terms.err_sq / entriesPerSample(in.x));
    checker.checkIfPresent(name + ".loss_mean", terms.loss);
    if (name == "uniform") checker.checkGradients("grads", *network);
    checker.checkGradients("grads", *network, name + ".");
  }
  checkOtherPaths(folder, checker, v, in);
}

void runConsistencyMidTraining(const CaseFolder& folder, CaseChecker& checker) {
  const auto config = folder.config();
  const auto teacher = core::velocityField(makeDdt(folder, config.at("model"), "teacher", /*is_student=*/false));
  auto student = makeDdt(folder, config.at("model"), "student", /*is_student=*/true);
  const auto u = core::flowMap(student);
  const auto& options = student->options();
  const auto side = options.input_size;
  const auto grid =
      core::TimeSchedule::withShift(config.number("shift", 1, 1e6)).grid(config.integer("num_steps", 2, 10000));
  core::Draws draws;
  draws.eps = folder.io("z", {-1, options.in_channels, side, side});
  const auto y = folder.labels("y", {draws.eps.size(0)}, options.num_classes);
  draws.label_uniforms = folder.host("drop_u", {draws.eps.size(0)});
  draws.pair_indices = folder.host("indices", {-1});
  if (draws.pair_indices.scalar_type() != torch::kInt64)
    throw std::runtime_error(folder.tensorFile("io") + ": tensor 'indices' must hold int64");
  for (const bool is_official : {true, false}) {
    const auto pair_times = is_official ? core::PairTimes::kOfficial : core::PairTimes::kSolver;
    const core::ConsistencyMidTraining objective({.num_classes = options.num_classes,
                                                  .label_dropout = config.number("label_dropout_prob", 0, 1),
                                                  .pair_times = pair_times});
    const auto trajectories = objective.makeTrajectories(teacher, y, draws, grid);
    if (draws.pair_indices.min().item<std::int64_t>() < 0 ||
        draws.pair_indices.max().item<std::int64_t>() >= trajectories.numPairs())
      throw std::runtime_error(folder.tensorFile("io") + ": tensor 'indices' must lie in [0, " +
                               std::to_string(trajectories.numPairs()) + ")");
    const auto pairs = core::selectPairs(trajectories, draws.pair_indices, pair_times);
    if (is_official) {
      checker.checkIfPresent("y_effective", trajectories.y);
      checker.checkIfPresent("solver_times", torch::tensor(trajectories.times, torch::kFloat64));
      checker.checkIfPresent("uniform_times", core::pointTimes(trajectories, pair_times));
      checker.checkIfPresent("pair_i", pairs.i);
      checker.checkIfPresent("pair_j", pairs.j);
      checker.checkIfPresent("pair_b", pairs.trajectory);
      checker.check("samples", trajectories.states);
      checker.checkIfPresent("x_src", pairs.z_t);
    } else if (!folder.has("consistent.target")) {
      continue;
    }
    const std::string prefix = is_official ? "" : "consistent.";
    student->zero_grad();
    const auto terms = objective.evaluate(u, trajectories, draws);
    terms.loss.backward();
    checker.check(prefix + "t", pairs.t);
    checker.check(prefix + "r", pairs.r);
    checker.check(prefix + "target", pairs.u_tgt);
    checker.checkIfPresent(prefix + "u", u(pairs.z_t, pairs.r, pairs.t, pairs.y));
    checker.check(prefix + "loss", terms.err_sq / entriesPerSample(pairs.z_t));
    checker.checkIfPresent(prefix + "loss_mean", terms.loss);
    checker.checkIfPresent(prefix + "loss_ref", terms.scalars.front().second);
    checker.checkGradients("grads", *student, prefix);
  }
}

}  // namespace meanflow::training
