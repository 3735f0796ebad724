// SPDX-License-Identifier: Apache-2.0
#include "training/verify/model_cases.h"

#include <functional>

#include "core/flow/guidance.h"
#include "core/models/lightning_dit.h"

namespace meanflow::training {
namespace {

using Evaluate = std::function<torch::Tensor(const torch::Tensor& x, const torch::Tensor& y)>;

constexpr std::int64_t kMaxWidth = 1 << 16, kMaxDepth = 512, kMaxSide = 1 << 12, kMaxClasses = 1 << 24;

/// Options that the two families share.
template <class Options>
void readSwitches(const CaseConfig& config, Options& network) {
  network.patch_size = config.integerOr("patch_size", network.patch_size, 1, 64);
  network.mlp_ratio = config.numberOr("mlp_ratio", network.mlp_ratio, 0.01, 64);
  network.use_qknorm = config.flagOr("use_qknorm", network.use_qknorm);
  network.use_swiglu = config.flagOr("use_swiglu", network.use_swiglu);
  network.use_rope = config.flagOr("use_rope", network.use_rope);
  network.use_rmsnorm = config.flagOr("use_rmsnorm", network.use_rmsnorm);
  if (config.flagOr("wo_shift", false)) config.fail("wo_shift", "cannot be true: the reference itself cannot run so");
}

/// The inputs that every model case has, checked against the configuration.
struct Inputs {
  torch::Tensor x, t, y;
};
Inputs inputs(const CaseFolder& folder, std::int64_t channels, std::int64_t side, std::int64_t num_classes) {
  const auto x = folder.io("x", {-1, channels, side, side});
  const auto B = x.size(0);
  return {.x = x, .t = folder.io("t", {B}), .y = folder.labels("y", {B}, num_classes)};
}

// Loss sum(out * cotangent) / numel and its gradients; then the ones that only exist when W and pos_embed are trained.
template <class Network>
void checkLossAndGradients(const CaseFolder& folder, CaseChecker& checker, Network& network, const Inputs& in,
                           const Evaluate& evaluate) {
  if (!folder.has("cotangent")) return;
  const auto cotangent = folder.io("cotangent", in.x.sizes());
  const auto run = [&] {
    network->zero_grad();
    const auto x = in.x.clone().requires_grad_();
    const auto out = evaluate(x, in.y);
    const auto loss = (out * cotangent).sum() / out.numel();
    loss.backward();
    return std::pair{x, loss};
  };
  const auto [x, loss] = run();
  checker.check("loss", loss);
  checker.checkIfPresent("grad_input.x", x.grad());
  checker.checkGradients("grads", *network);
  if (!folder.hasFile("grads_unfrozen")) return;
  network->setFourierAndPositionsTrainable(true);
  run();
  checker.checkGradients("grads_unfrozen", *network);
  network->setFourierAndPositionsTrainable(false);
}

// Outputs for the labels as given, all null, and with the recorded dropout applied.
void checkLabels(const CaseFolder& folder, CaseChecker& checker, const Inputs& in, std::int64_t num_classes,
                 const Evaluate& evaluate) {
  if (folder.has("out")) checker.check("out", evaluate(in.x, in.y));
  if (folder.has("out_null")) checker.check("out_null", evaluate(in.x, torch::full_like(in.y, num_classes)));
  if (folder.has("out_label_dropped")) {
    const auto is_dropped = folder.io("drop_mask", in.y.sizes()).to(torch::kBool);
    checker.check("out_label_dropped", evaluate(in.x, in.y.masked_fill(is_dropped, num_classes)));
  }
}

// The reference returns the guided velocity twice, once for each half of its doubled batch.
void checkGuidance(const CaseFolder& folder, CaseChecker& checker, const Inputs& in, const core::DiTwDDTHead& network) {
  if (!folder.has("cfg_out")) return;
  const auto& interval = folder.host("cfg_interval", {2});
  const base::GuidanceConfig guidance = {.scale = folder.host("cfg_scale", {}).item<double>(),
                                         .t_min = interval[0].item<double>(),
                                         .t_max = interval[1].item<double>()};
  const auto out = core::classifierFreeGuidance(core::velocityField(network), guidance, network->options().num_classes)(
      in.x, in.t, in.y);
  checker.check("cfg_out", torch::cat({out, out}));
}

}  // namespace

core::DdtOptions ddtOptions(const CaseConfig& config) {
  core::DdtOptions options;
  auto& network = options.network;
  options.input_size = config.integerOr("input_size", 1, 1, kMaxSide);  // 1 is the official default
  options.in_channels = config.integerOr("in_channels", options.in_channels, 1, kMaxWidth);
  options.num_classes = config.integerOr("num_classes", options.num_classes, 1, kMaxClasses);
  options.class_dropout_prob = config.numberOr("class_dropout_prob", options.class_dropout_prob, 0, 1);
  if (config.has("hidden_size")) network.hidden_size = config.integers("hidden_size", 1, kMaxWidth);
  if (config.has("depth")) network.depth = config.integers("depth", 0, kMaxDepth);
  if (config.has("num_heads")) network.num_heads = config.integers("num_heads", 1, kMaxWidth);
  readSwitches(config, network);
  network.use_pos_embed = config.flagOr("use_pos_embed", network.use_pos_embed);
  return options;
}

core::DiTwDDTHead makeDdt(const CaseFolder& folder, const CaseConfig& config, const std::string& stem,
                          bool is_student) {
  auto options = ddtOptions(config);
  options.has_r_embedder = is_student;
  return buildLoaded<core::DiTwDDTHead>(folder, stem, options);
}

void runDdt(const CaseFolder& folder, CaseChecker& checker) {
  auto network = makeDdt(folder, folder.config(), "weights", /*is_student=*/false);
  const auto& options = network->options();
  const auto in = inputs(folder, options.in_channels, options.input_size, options.num_classes);
  const Evaluate evaluate = [&](const torch::Tensor& z, const torch::Tensor& labels) {
    return network->velocity(z, in.t, labels);
  };
  {
    const torch::NoGradGuard no_grad;
    checkLabels(folder, checker, in, options.num_classes, evaluate);
    checker.checkIfPresent("dbg.t_emb", network->t_embedder(in.t));
    checker.checkIfPresent("dbg.y_emb", network->y_embedder(in.y));
    // A given s: s_NAME goes with out_s_NAME, s_given with out_with_s.
    for (const auto& name : folder.names("io")) {
      if (name.rfind("s_", 0) != 0) continue;
      const auto s = folder.io(name, {in.x.size(0), -1, options.network.hidden_size[0]});
      checker.check(name == "s_given" ? "out_with_s" : "out_" + name, network->velocityGivenS(in.x, in.t, in.y, s));
    }
    checkGuidance(folder, checker, in, network);
  }
  checkLossAndGradients(folder, checker, network, in, evaluate);
}

void runLightningDit(const CaseFolder& folder, CaseChecker& checker) {
  const auto config = folder.config();
  core::LightningDitOptions options;
  options.input_size = config.integerOr("input_size", options.input_size, 1, kMaxSide);
  options.in_channels = config.integerOr("in_channels", options.in_channels, 1, kMaxWidth);
  options.hidden_size = config.integerOr("hidden_size", options.hidden_size, 1, kMaxWidth);
  options.depth = config.integerOr("depth", options.depth, 0, kMaxDepth);
  options.num_heads = config.integerOr("num_heads", options.num_heads, 1, kMaxWidth);
  options.class_dropout_prob = config.numberOr("class_dropout_prob", options.class_dropout_prob, 0, 1);
  options.num_classes = config.integerOr("num_classes", options.num_classes, 1, kMaxClasses);
  options.learn_sigma = config.flagOr("learn_sigma", options.learn_sigma);
  readSwitches(config, options);
  auto network = buildLoaded<core::LightningDit>(folder, "weights", options);
  const auto in = inputs(folder, options.in_channels, options.input_size, options.num_classes);
  const Evaluate evaluate = [&](const torch::Tensor& z, const torch::Tensor& labels) {
    return network->velocity(z, in.t, labels);
  };
  {
    const torch::NoGradGuard no_grad;
    checkLabels(folder, checker, in, options.num_classes, evaluate);
    checker.checkIfPresent("dbg.t_emb", network->t_embedder(in.t));
    checker.checkIfPresent("dbg.y_emb", network->y_embedder(in.y));
  }
  checkLossAndGradients(folder, checker, network, in, evaluate);
}

void runStudent(const CaseFolder& folder, CaseChecker& checker) {
  auto network = makeDdt(folder, folder.config(), "weights", /*is_student=*/true);
  const auto& options = network->options();
  const auto in = inputs(folder, options.in_channels, options.input_size, options.num_classes);
  const auto r = folder.io("r", in.t.sizes());
  const auto& [x, t, y] = in;
  const Evaluate evaluate = [&, r](const torch::Tensor& z, const torch::Tensor& labels) {
    return network->averageVelocity(z, r, in.t, labels);
  };
  {
    const torch::NoGradGuard no_grad;
    checkLabels(folder, checker, in, options.num_classes, evaluate);
    checker.checkIfPresent("out_r0_t1", network->averageVelocity(x, torch::zeros_like(r), torch::ones_like(t), y));
    checker.checkIfPresent("out_r_eq_t", network->averageVelocity(x, t, t, y));
    checker.checkIfPresent("out_r_none", network->averageVelocity(x, {}, t, y));
    checker.checkIfPresent("dbg.t_emb", network->t_embedder(t));
    checker.checkIfPresent("dbg.r_emb", network->r_embedder(t - r));
    checker.checkIfPresent("dbg.y_emb", network->y_embedder(y));
  }
  checkLossAndGradients(folder, checker, network, in, evaluate);
}

}  // namespace meanflow::training
