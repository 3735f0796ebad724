// SPDX-License-Identifier: Apache-2.0
#include "training/verify/model_cases.h"

#include <functional>

#include "core/flow/guidance.h"
#include "core/models/lightning_dit.h"

namespace meanflow::training {
namespace {

using Evaluate = std::function<torch::Tensor(const torch::Tensor& x, const torch::Tensor& y)>;

template <class T>
void readIfPresent(const nlohmann::json& config, const char* key, T& value) {
  if (config.contains(key) && !config[key].is_null()) value = config[key].get<T>();
}

// A list, or one number that stands for all.
void readList(const nlohmann::json& config, const char* key, std::vector<std::int64_t>& values) {
  if (!config.contains(key)) return;
  if (config[key].is_array()) {
    values = config[key].get<std::vector<std::int64_t>>();
  } else {
    values = {config[key].get<std::int64_t>()};
  }
}

template <class Network>
void loadExactly(Network& network, const core::TensorMap& weights) {
  core::loadInto(*network, weights, core::Strictness::kExact).value();
}

// Loss sum(out * cotangent) / numel and its gradients; then the ones that only exist when W and pos_embed are trained.
template <class Network>
void checkLossAndGradients(const CaseFolder& folder, CaseChecker& checker, Network& network, const Evaluate& evaluate) {
  const auto run = [&] {
    network->zero_grad();
    const auto x = folder.io("x").clone().requires_grad_();
    const auto out = evaluate(x, folder.io("y"));
    const auto loss = (out * folder.io("cotangent")).sum() / out.numel();
    loss.backward();
    return std::pair{x, loss};
  };
  const auto [x, loss] = run();
  checker.check("loss", loss);
  checker.checkIfPresent("io", "grad_input.x", x.grad());
  checker.checkGradients("grads", *network);
  if (!folder.files.contains("grads_unfrozen")) return;
  network->setFourierAndPositionsTrainable(true);
  run();
  checker.checkGradients("grads_unfrozen", *network);
  network->setFourierAndPositionsTrainable(false);
}

// Outputs for the labels as given, all null, and with the recorded dropout applied.
void checkLabels(const CaseFolder& folder, CaseChecker& checker, std::int64_t num_classes, const Evaluate& evaluate) {
  const auto& x = folder.io("x");
  const auto& y = folder.io("y");
  checker.checkIfPresent("io", "out", evaluate(x, y));
  checker.checkIfPresent("io", "out_null", evaluate(x, torch::full_like(y, num_classes)));
  if (folder.has("io", "out_label_dropped")) {
    const auto is_dropped = folder.io("drop_mask").to(torch::kBool);
    checker.check("out_label_dropped", evaluate(x, y.masked_fill(is_dropped, num_classes)));
  }
}

// The reference returns the guided velocity twice, once for each half of its doubled batch.
void checkGuidance(const CaseFolder& folder, CaseChecker& checker, const core::DiTwDDTHead& network) {
  if (!folder.has("io", "cfg_out")) return;
  const auto& interval = folder.io("cfg_interval");
  const base::GuidanceConfig guidance = {.scale = folder.io("cfg_scale").item<double>(),
                                         .t_min = interval[0].item<double>(),
                                         .t_max = interval[1].item<double>()};
  const auto guided =
      core::classifierFreeGuidance(core::velocityField(network), guidance, network->options().num_classes);
  const auto out = guided(folder.io("x"), folder.io("t"), folder.io("y"));
  checker.check("cfg_out", torch::cat({out, out}));
}

}  // namespace

core::DdtOptions ddtOptions(const nlohmann::json& config) {
  core::DdtOptions options;
  auto& network = options.network;
  readIfPresent(config, "input_size", options.input_size);
  readIfPresent(config, "in_channels", options.in_channels);
  readIfPresent(config, "num_classes", options.num_classes);
  readIfPresent(config, "class_dropout_prob", options.class_dropout_prob);
  readIfPresent(config, "patch_size", network.patch_size);
  readList(config, "hidden_size", network.hidden_size);
  readList(config, "depth", network.depth);
  readList(config, "num_heads", network.num_heads);
  readIfPresent(config, "mlp_ratio", network.mlp_ratio);
  readIfPresent(config, "use_qknorm", network.use_qknorm);
  readIfPresent(config, "use_swiglu", network.use_swiglu);
  readIfPresent(config, "use_rope", network.use_rope);
  readIfPresent(config, "use_rmsnorm", network.use_rmsnorm);
  readIfPresent(config, "use_pos_embed", network.use_pos_embed);
  return options;
}

core::DiTwDDTHead makeDdt(const nlohmann::json& config, const core::TensorMap& weights, bool is_student) {
  auto options = ddtOptions(config);
  options.has_r_embedder = is_student;
  core::DiTwDDTHead network(options);
  loadExactly(network, weights);
  return network;
}

void runDdt(const CaseFolder& folder, CaseChecker& checker) {
  auto network = makeDdt(folder.config(), folder.file("weights"), /*is_student=*/false);
  const auto& x = folder.io("x");
  const auto& t = folder.io("t");
  const auto& y = folder.io("y");
  const Evaluate evaluate = [&](const torch::Tensor& z, const torch::Tensor& labels) {
    return network->velocity(z, t, labels);
  };
  {
    const torch::NoGradGuard no_grad;
    checkLabels(folder, checker, network->options().num_classes, evaluate);
    checker.checkIfPresent("io", "dbg.t_emb", network->t_embedder(t));
    checker.checkIfPresent("io", "dbg.y_emb", network->y_embedder(y));
    for (const auto& [given, expected] :
         {std::pair{"s_given", "out_with_s"}, {"s_half", "out_s_half"}, {"s_one", "out_s_one"}}) {
      if (folder.has("io", given)) checker.check(expected, network->velocityGivenS(x, t, y, folder.io(given)));
    }
    checkGuidance(folder, checker, network);
  }
  if (folder.files.contains("grads")) checkLossAndGradients(folder, checker, network, evaluate);
}

void runLightningDit(const CaseFolder& folder, CaseChecker& checker) {
  const auto& config = folder.config();
  core::LightningDitOptions options;
  readIfPresent(config, "input_size", options.input_size);
  readIfPresent(config, "patch_size", options.patch_size);
  readIfPresent(config, "in_channels", options.in_channels);
  readIfPresent(config, "hidden_size", options.hidden_size);
  readIfPresent(config, "depth", options.depth);
  readIfPresent(config, "num_heads", options.num_heads);
  readIfPresent(config, "mlp_ratio", options.mlp_ratio);
  readIfPresent(config, "class_dropout_prob", options.class_dropout_prob);
  readIfPresent(config, "num_classes", options.num_classes);
  readIfPresent(config, "learn_sigma", options.learn_sigma);
  readIfPresent(config, "use_qknorm", options.use_qknorm);
  readIfPresent(config, "use_swiglu", options.use_swiglu);
  readIfPresent(config, "use_rope", options.use_rope);
  readIfPresent(config, "use_rmsnorm", options.use_rmsnorm);
  core::LightningDit network(options);
  loadExactly(network, folder.file("weights"));
  const auto& t = folder.io("t");
  const Evaluate evaluate = [&](const torch::Tensor& z, const torch::Tensor& labels) {
    return network->velocity(z, t, labels);
  };
  {
    const torch::NoGradGuard no_grad;
    checkLabels(folder, checker, options.num_classes, evaluate);
    checker.checkIfPresent("io", "dbg.t_emb", network->t_embedder(t));
    checker.checkIfPresent("io", "dbg.y_emb", network->y_embedder(folder.io("y")));
  }
  if (folder.files.contains("grads")) checkLossAndGradients(folder, checker, network, evaluate);
}

void runStudent(const CaseFolder& folder, CaseChecker& checker) {
  auto network = makeDdt(folder.config(), folder.file("weights"), /*is_student=*/true);
  const auto& x = folder.io("x");
  const auto& r = folder.io("r");
  const auto& t = folder.io("t");
  const auto& y = folder.io("y");
  const Evaluate evaluate = [&](const torch::Tensor& z, const torch::Tensor& labels) {
    return network->averageVelocity(z, r, t, labels);
  };
  {
    const torch::NoGradGuard no_grad;
    checkLabels(folder, checker, network->options().num_classes, evaluate);
    checker.checkIfPresent("io", "out_r0_t1",
                           network->averageVelocity(x, torch::zeros_like(r), torch::ones_like(t), y));
    checker.checkIfPresent("io", "out_r_eq_t", network->averageVelocity(x, t, t, y));
    checker.checkIfPresent("io", "out_r_none", network->averageVelocity(x, {}, t, y));
    checker.checkIfPresent("io", "dbg.t_emb", network->t_embedder(t));
    checker.checkIfPresent("io", "dbg.r_emb", network->r_embedder(t - r));
    checker.checkIfPresent("io", "dbg.y_emb", network->y_embedder(y));
  }
  if (folder.files.contains("grads")) checkLossAndGradients(folder, checker, network, evaluate);
}

}  // namespace meanflow::training
