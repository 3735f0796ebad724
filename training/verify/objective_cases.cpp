// SPDX-License-Identifier: Apache-2.0
#include "training/verify/objective_cases.h"

#include <algorithm>

#include "core/objectives/consistency_mid_training.h"
#include "core/objectives/flow_matching.h"
#include "core/objectives/mean_flow.h"
#include "training/verify/model_cases.h"

namespace meanflow::training {
namespace {

double entriesPerSample(const torch::Tensor& x) { return static_cast<double>(x.numel() / x.size(0)); }

/// Compares every gradient named PREFIXgrad.NAME in the file with that parameter's.
void checkPrefixedGradients(const CaseFolder& folder, CaseChecker& checker, const std::string& prefix,
                            const torch::nn::Module& module) {
  const auto parameters = module.named_parameters();
  const auto start = prefix + "grad.";
  for (const auto& entry : folder.file("grads")) {
    if (entry.first.rfind(start, 0) != 0) continue;
    const auto* parameter = parameters.find(entry.first.substr(start.size()));
    TORCH_CHECK(parameter, folder.name, ": no parameter for the gradient '", entry.first, "'");
    checker.check("grads", entry.first, parameter->grad());
  }
}

/// "uniform", "logit-normal_0_1" or "logitmnormal_m0p4_1p2" (m for minus, p for the point) -> a configuration.
base::TimeConfig timeConfig(const std::string& name, double shift) {
  base::TimeConfig config;
  config.shift = shift;
  if (name == "uniform") return config;
  const auto number = [](std::string text) {
    std::replace(text.begin(), text.end(), 'm', '-');
    std::replace(text.begin(), text.end(), 'p', '.');
    return std::stod(text);
  };
  const auto second = name.rfind('_'), first = name.rfind('_', second - 1);
  config.distribution = "logit_normal";
  config.mu = number(name.substr(first + 1, second - first - 1));
  config.sigma = number(name.substr(second + 1));
  return config;
}

/// Loss on other paths and predictions, at the recorded times: names PATH.PREDICTION.WEIGHT.
void checkOtherPaths(const CaseFolder& folder, CaseChecker& checker, const core::VelocityField& v, std::int64_t num_classes) {
  const auto& x = folder.io("z0");
  for (const auto& entry : folder.file("io")) {
    const auto& name = entry.first;
    if (name.rfind("GVP.", 0) != 0 && name.rfind("VP.", 0) != 0) continue;
    const auto first = name.find('.'), second = name.find('.', first + 1), third = name.find('.', second + 1);
    if (name.substr(third) != ".loss") continue;
    const core::FlowMatching objective(
        {.num_classes = num_classes,
         .label_dropout = 0,
         .path = core::pathKindFromName(name.substr(0, first)),
         .prediction = core::predictionFromName(name.substr(first + 1, second - first - 1)),
         .weight = core::lossWeightFromName(name.substr(second + 1, third - second - 1))},
        core::TimeSchedule::withShift(1));
    const auto terms = objective.evaluateAt(v, x, folder.io("noise"), folder.io(name.substr(0, third) + ".t"), folder.io("y"));
    checker.check(name, terms.err_sq / entriesPerSample(x));
  }
}

/// The MeanFlow objective of a case as the released code has it.
core::MeanFlowOptions officialMeanFlow(const nlohmann::json& config, double delta_t) {
  core::MeanFlowOptions options;
  options.num_classes = config.at("model").at("num_classes").get<std::int64_t>();
  options.ratio_r_less_than_t = config.at("ratio_r_not_equal_t").get<double>();
  options.adaptive_p = config.value("adaptive_p", 1.0);
  options.adaptive_squared = true;
  options.derivative = {.kind = core::DerivativeKind::kFiniteDifference, .delta_t = delta_t, .clamp_times = false};
  return options;
}

/// A MeanFlow case in one dtype: networks, inputs and draws.
class MeanFlowCase {
 public:
  MeanFlowCase(const CaseFolder& folder, CaseChecker& checker, torch::ScalarType dtype)
      : folder_(folder), checker_(checker), prefix_(dtype == torch::kFloat64 ? "f64." : "f32."),
        student_(makeDdt(folder.config().at("model"), folder.file("student"), /*is_student=*/true)),
        schedule_(core::TimeSchedule::withShift(folder.config().at("shift").get<double>())) {
    student_->to(dtype);
    u_ = core::flowMap(student_);
    x_ = folder.io("z0").to(dtype);
    y_ = folder.io("y");
    draws_.label_uniforms = folder.io("drop_u");
    draws_.eps = folder.io("noise").to(dtype);
    draws_.time_uniforms = folder.io("u2").to(dtype);
    draws_.mask_uniforms = folder.io("u_mask");
    if (!folder.files.contains("teacher")) return;
    auto teacher = makeDdt(folder.config().at("model"), folder.file("teacher"), /*is_student=*/false);
    teacher->to(dtype);
    velocity_ = core::VelocitySource::teacher(core::velocityField(teacher));
  }

  void run() {
    checkInputs();
    for (const auto& delta : folder_.config().at("delta_t")) checkDerivative("fd" + delta.dump() + ".", delta.get<double>());
    checkJvp();
    checkWeights();
    checkMixtures();
    if (prefix_ == "f32.") checkTrainMode();
  }

 private:
  core::MeanFlow objective(const core::MeanFlowOptions& options) const { return {options, schedule_, velocity_}; }
  core::MeanFlowOptions official(double delta_t = 0.005) const { return officialMeanFlow(folder_.config(), delta_t); }
  void check(const std::string& name, const torch::Tensor& actual) { checker_.checkIfPresent("io", prefix_ + name, actual); }

  core::TransportPoint allRows() const {
    const auto target = objective(official()).target(u_, x_, y_, draws_);
    return {.z_t = target.z_t, .w = target.w, .r = target.r, .t = target.t, .y = target.y, .y_plus = {}, .y_minus = {}};
  }

  /// Loss of each sample: the objective on batches of one.
  torch::Tensor lossPerSample(const core::MeanFlow& objective) const {
    const torch::NoGradGuard no_grad;
    std::vector<torch::Tensor> losses;
    for (std::int64_t b = 0; b < x_.size(0); ++b) {
      const auto row = [b](const torch::Tensor& tensor) { return tensor.narrow(0, b, 1); };
      core::Draws draws{.label_uniforms = row(draws_.label_uniforms), .eps = row(draws_.eps),
                        .time_uniforms = row(draws_.time_uniforms), .mask_uniforms = row(draws_.mask_uniforms),
                        .pair_indices = {}, .network_label_uniforms = {}};
      if (draws_.network_label_uniforms.defined())
        draws.network_label_uniforms = draws_.network_label_uniforms.view({3, -1}).select(1, b);
      losses.push_back(objective.evaluate(u_, row(x_), row(y_), draws).loss);
    }
    return torch::stack(losses);
  }

  void checkInputs() {
    const auto target = objective(official()).target(u_, x_, y_, draws_);
    if (prefix_ == "f64.") checker_.check("y_effective", target.y);
    check("z_t", target.z_t);
    check("w", target.w);
    check("r", target.r);
    check("t", target.t);
  }

  void checkEvaluation(const std::string& name, const core::MeanFlow& objective) {
    const auto terms = objective.evaluate(u_, x_, y_, draws_);
    check(name + "sq_err_sum", terms.err_sq);
    check(name + "loss_mean", terms.loss);
    check(name + "loss_ref", terms.scalars.front().second);
    check(name + "loss", lossPerSample(objective));
    const auto target = objective.target(u_, x_, y_, draws_);
    check(name + "target", target.u_tgt);
    const torch::NoGradGuard no_grad;
    check(name + "u", u_(target.z_t, target.r, target.t, target.y));
  }

  void checkGradients(const std::string& name, const core::MeanFlow& objective) {
    student_->zero_grad();
    objective.evaluate(u_, x_, y_, draws_).loss.backward();
    checkPrefixedGradients(folder_, checker_, prefix_ + name, *student_);
  }

  void checkDerivative(const std::string& name, double delta_t) {
    const auto options = official(delta_t);
    check(name + "dudt", core::transportDerivative(u_, allRows(), options.derivative));
    checkEvaluation(name, objective(options));
    checkGradients(name, objective(options));
  }

  void checkJvp() {
    auto options = official();
    options.derivative.kind = core::DerivativeKind::kJvp;
    check("jvp.dudt", core::transportDerivative(u_, allRows(), options.derivative));
    checkEvaluation("jvp.", objective(options));
    checkGradients("jvp.", objective(options));
  }

  void checkWeights() {
    auto options = official();
    options.adaptive_p = 0.5;
    check("fd0.005.p0.5.loss", lossPerSample(objective(options)));
    options.adaptive_squared = false;
    check("fd0.005.alt_p0.5.loss", lossPerSample(objective(options)));
    options.adaptive_p = 1;
    check("fd0.005.alt_p1.0.loss", lossPerSample(objective(options)));
    checkGradients("fd0.005.alt_p1.", objective(options));
  }

  void checkMixtures() {
    if (!folder_.has("io", prefix_ + "v_theta")) return;
    const auto at = allRows();
    check("v_theta", core::VelocitySource::self().at(u_, at.z_t, at.t, at.y, x_, draws_.eps));
    for (const char* eta : {"0.25", "0.5", "1.0"}) {
      const core::MeanFlow mixture(official(), schedule_, core::VelocitySource::mix(std::stod(eta), core::VelocitySource::self()));
      const auto target = mixture.target(u_, x_, y_, draws_);
      const auto name = std::string("eta") + eta + ".";
      check(name + "w", target.w);
      check(name + "target", target.u_tgt);
      check(name + "loss", lossPerSample(mixture));
    }
  }

  void checkTrainMode() {
    if (!folder_.has("io", "train_mode.drop_u3")) return;
    draws_.network_label_uniforms = folder_.io("train_mode.drop_u3");
    auto options = official();
    options.network_label_dropout = folder_.config().at("model").value("class_dropout_prob", 0.1);
    const auto slip = objective(options);
    checker_.check("train_mode.loss", lossPerSample(slip));
    checker_.check("train_mode.loss_ref", slip.evaluate(u_, x_, y_, draws_).scalars.front().second);
    const torch::NoGradGuard no_grad;
    const auto target = slip.target(u_, x_, y_, draws_);
    checker_.check("train_mode.pred", u_(target.z_t, target.r, target.t, target.y));
  }

  const CaseFolder& folder_;
  CaseChecker& checker_;
  std::string prefix_;
  core::DiTwDDTHead student_;
  core::TimeSchedule schedule_;
  core::VelocitySource velocity_ = core::VelocitySource::data();
  core::FlowMap u_;
  torch::Tensor x_, y_;
  core::Draws draws_;
};

}  // namespace

void runFlowMatchingLoss(const CaseFolder& folder, CaseChecker& checker) {
  const auto& config = folder.config();
  auto network = makeDdt(config.at("model"), folder.file("weights"), /*is_student=*/false);
  const auto v = core::velocityField(network);
  const auto num_classes = config.at("model").at("num_classes").get<std::int64_t>();
  const auto& x = folder.io("z0");
  const auto& eps = folder.io("noise");
  const auto& y = folder.io("y");
  for (const auto& entry : folder.file("io")) {
    // Every distribution of times has its NAME.xt.
    if (entry.first.size() < 3 || entry.first.substr(entry.first.size() - 3) != ".xt") continue;
    const auto name = entry.first.substr(0, entry.first.size() - 3);
    const core::TimeSchedule schedule(timeConfig(name, config.at("shift").get<double>()), 1);
    const core::FlowMatching objective({.num_classes = num_classes, .label_dropout = 0}, schedule);
    core::Draws draws;
    draws.eps = eps;
    draws.time_uniforms = folder.io("u");
    network->zero_grad();
    const auto terms = objective.evaluate(v, x, y, draws);
    terms.loss.backward();
    checker.check(name + ".t", terms.t);
    const auto z_t = core::interpolate(x, eps, terms.t);
    checker.check(name + ".xt", z_t);
    checker.check(name + ".ut", core::pathVelocity(core::pathCoefficients(core::PathKind::kLinear, terms.t), x, eps));
    checker.check(name + ".pred", v(z_t, terms.t, y));
    checker.check(name + ".loss", terms.err_sq / entriesPerSample(x));
    checker.checkIfPresent("io", name + ".loss_mean", terms.loss);
    if (name == "uniform") checkPrefixedGradients(folder, checker, "", *network);
  }
  checkOtherPaths(folder, checker, v, num_classes);
}

void runConsistencyMidTraining(const CaseFolder& folder, CaseChecker& checker) {
  const auto& config = folder.config();
  const auto teacher = core::velocityField(makeDdt(config.at("model"), folder.file("teacher"), /*is_student=*/false));
  auto student = makeDdt(config.at("model"), folder.file("student"), /*is_student=*/true);
  const auto u = core::flowMap(student);
  const auto grid = core::TimeSchedule::withShift(config.at("shift").get<double>()).grid(config.at("num_steps").get<std::int64_t>());
  core::Draws draws;
  draws.label_uniforms = folder.io("drop_u");
  draws.eps = folder.io("z");
  draws.pair_indices = folder.io("indices");
  for (const bool is_official : {true, false}) {
    const core::ConsistencyMidTraining objective(
        {.num_classes = config.at("model").at("num_classes").get<std::int64_t>(),
         .label_dropout = config.at("label_dropout_prob").get<double>(),
         .pair_times = is_official ? core::PairTimes::kOfficial : core::PairTimes::kSolver});
    const auto trajectories = objective.makeTrajectories(teacher, folder.io("y"), draws, grid);
    const auto pairs = core::selectPairs(trajectories, draws.pair_indices,
                                         is_official ? core::PairTimes::kOfficial : core::PairTimes::kSolver);
    if (is_official) {
      checker.check("y_effective", trajectories.y);
      checker.check("solver_times", torch::tensor(trajectories.times, torch::kFloat64));
      checker.check("samples", trajectories.states);
      checker.check("x_src", pairs.z_t);
    }
    const std::string prefix = is_official ? "" : "consistent.";
    student->zero_grad();
    const auto terms = objective.evaluate(u, trajectories, draws);
    terms.loss.backward();
    checker.check(prefix + "t", pairs.t);
    checker.check(prefix + "r", pairs.r);
    checker.check(prefix + "target", pairs.u_tgt);
    checker.check(prefix + "u", u(pairs.z_t, pairs.r, pairs.t, pairs.y));
    checker.check(prefix + "loss", terms.err_sq / entriesPerSample(pairs.z_t));
    checker.check(prefix + "loss_mean", terms.loss);
    checker.checkIfPresent("io", prefix + "loss_ref", terms.scalars.front().second);
    checkPrefixedGradients(folder, checker, prefix, *student);
  }
}

void runMeanFlowLoss(const CaseFolder& folder, CaseChecker& checker) {
  MeanFlowCase(folder, checker, torch::kFloat64).run();
  MeanFlowCase(folder, checker, torch::kFloat32).run();
}

}  // namespace meanflow::training
