// SPDX-License-Identifier: Apache-2.0
#include "training/verify/flow_cases.h"

#include "core/flow/guidance.h"
#include "core/flow/mean_flow_sampler.h"
#include "core/flow/ode_solver.h"
#include "core/flow/sde_solver.h"
#include "core/flow/time_schedule.h"
#include "training/verify/model_cases.h"

namespace meanflow::training {
namespace {

core::TimeSchedule scheduleOf(double shift, bool is_logit_normal) {
  base::TimeConfig config;
  config.shift = shift;
  if (is_logit_normal) config.distribution = "logit_normal";  // mu 0, sigma 1 are the defaults
  return {config, 1};
}

// Logit-normal(-0.4, 1), the time distribution of the plain MeanFlow codes.
torch::Tensor plainLogitNormal(const torch::Tensor& normals) { return torch::sigmoid(normals - 0.4); }

void checkPlainMeanFlowTimes(const CaseFolder& folder, CaseChecker& checker) {
  if (!folder.has("io", "normals2")) return;
  const auto times = plainLogitNormal(folder.io("normals2"));
  const auto& u_mask = folder.io("u_mask");
  const auto published = core::sortedPairs(times, u_mask, folder.config().at("ratio_r_not_equal_t").get<double>());
  checker.checkIfPresent("io", "meanflow_pt.logit_normal.r", published.r);
  checker.checkIfPresent("io", "meanflow_pt.logit_normal.t", published.t);
  const auto uniform = core::sortedPairs(folder.io("u2"), u_mask, 0.75);
  checker.checkIfPresent("io", "meanflow_pt.uniform075.r", uniform.r);
  checker.checkIfPresent("io", "meanflow_pt.uniform075.t", uniform.t);
  // The JAX code sets r = t in the first three quarters of the batch instead of drawing a mask.
  auto first_rows = torch::ones_like(u_mask);
  first_rows.narrow(0, 0, static_cast<std::int64_t>(static_cast<double>(u_mask.size(0)) * 0.75)).zero_();
  const auto jax = core::sortedPairs(times, first_rows, 0.25);
  checker.checkIfPresent("io", "meanflow_jax.logit_normal.r", jax.r);
  checker.checkIfPresent("io", "meanflow_jax.logit_normal.t", jax.t);
}

// One entry of `runs`: an ODE run on the shifted grid.
void runOde(const CaseFolder& folder, CaseChecker& checker, const std::string& name, const nlohmann::json& run,
            const core::VelocityField& v, const core::VelocityField& weak) {
  const auto& config = folder.config();
  auto field = v;
  const auto guidance = run.at("guidance").get<std::string>();
  if (guidance != "none") {
    const auto interval = run.at("interval").get<std::vector<double>>();
    const base::GuidanceConfig settings{.scale = run.at("scale").get<double>(), .t_min = interval.at(0), .t_max = interval.at(1)};
    field = guidance == "cfg" ? core::classifierFreeGuidance(v, settings, config.at("model").at("num_classes").get<std::int64_t>())
                              : core::autoGuidance(v, weak, settings);
  }
  const auto times =
      core::TimeSchedule::withShift(config.at("shift").get<double>()).grid(run.at("num_steps").get<std::int64_t>());
  const auto solution =
      core::solveOde(field, folder.io("z"), folder.io("y"), times,
                     {.method = core::odeMethodFromName(run.at("sampling_method").get<std::string>())});
  checker.check(name + ".final", solution.final());
  checker.checkIfPresent("io", name + ".traj", torch::stack(solution.states));
}

void runUniformEuler(const CaseFolder& folder, CaseChecker& checker, const std::string& name, const nlohmann::json& run,
                     const core::VelocityField& v) {
  const base::GuidanceConfig guidance{.scale = run.at("cfg_scale").get<double>(), .t_min = run.at("low").get<double>(),
                                      .t_max = run.at("high").get<double>()};
  checker.check(name + ".final",
                core::sampleUniformGrid(v, folder.io("z"), folder.io("y"), run.at("num_steps").get<std::int64_t>(),
                                        run.at("heun").get<bool>(), guidance,
                                        folder.config().at("model").at("num_classes").get<std::int64_t>()));
}

void runSde(const CaseFolder& folder, CaseChecker& checker, const std::string& name, const nlohmann::json& run,
            const core::VelocityField& v) {
  const auto& last = run.at("last_step");
  const core::SdeOptions options{.method = core::sdeMethodFromName(run.at("sampling_method").get<std::string>()),
                                 .diffusion = core::diffusionFormFromName(run.at("diffusion_form").get<std::string>()),
                                 .last_step = core::sdeLastStepFromName(last.is_null() ? "" : last.get<std::string>()),
                                 .last_step_size = run.at("last_step_size").get<double>(),
                                 .num_steps = run.at("num_steps").get<std::int64_t>()};
  const auto& normals = folder.io("sde.noises");
  checker.check(name + ".final", core::solveSde(v, folder.io("z"), folder.io("y"),
                                                core::TimeSchedule::withShift(folder.config().at("shift").get<double>()),
                                                options, [&](std::int64_t k) { return normals[k]; }));
}

}  // namespace

void runTimeSamplers(const CaseFolder& folder, CaseChecker& checker) {
  const double ratio = folder.config().at("ratio_r_not_equal_t").get<double>();
  for (const auto& [name, shift] : folder.config().at("shifts").items()) {
    for (const bool is_logit_normal : {false, true}) {
      const auto schedule = scheduleOf(shift.get<double>(), is_logit_normal);
      const auto prefix = name + (is_logit_normal ? ".logit-normal_0_1." : ".uniform.");
      checker.checkIfPresent("io", prefix + "t", schedule.fromUniforms(folder.io("u")));
      const auto pairs = schedule.pairsFromUniforms(folder.io("u2"), folder.io("u_mask"), ratio);
      checker.checkIfPresent("io", prefix + "mf_r", pairs.r);
      checker.checkIfPresent("io", prefix + "mf_t", pairs.t);
    }
    const auto grid_prefix = name + ".grid";
    for (const auto& entry : folder.file("io")) {
      if (entry.first.rfind(grid_prefix, 0) != 0) continue;
      const auto num_points = std::stoll(entry.first.substr(grid_prefix.size()));
      checker.check(entry.first, torch::tensor(scheduleOf(shift.get<double>(), false).grid(num_points), torch::kFloat64));
    }
  }
  checkPlainMeanFlowTimes(folder, checker);
}

void runMeanFlowSamplers(const CaseFolder& folder, CaseChecker& checker) {
  const auto u = core::flowMap(makeDdt(folder.config().at("model"), folder.file("student"), /*is_student=*/true));
  const auto null_label = folder.config().at("model").at("num_classes").get<std::int64_t>();
  const auto& z = folder.io("z");
  const auto& y = folder.io("y");
  for (const auto& [name, expected] : folder.file("io")) {
    if (name.rfind("mf", 0) == 0) checker.check(name, core::sampleMeanFlow(u, z, y, std::stoll(name.substr(2))));
    const std::string guided_prefix = "zhuyu.cfg", steps_part = ".steps";
    if (name.rfind(guided_prefix, 0) != 0) continue;
    const auto steps_at = name.find(steps_part);
    const double scale = std::stod(name.substr(guided_prefix.size(), steps_at - guided_prefix.size()));
    checker.check(name, core::sampleMeanFlow(core::classifierFreeGuidance(u, scale, null_label), z, y,
                                             std::stoll(name.substr(steps_at + steps_part.size()))));
  }
  if (folder.has("io", "img_uint8")) checker.check("img_uint8", core::toUint8(folder.io("img")));
}

void runOdeSamplers(const CaseFolder& folder, CaseChecker& checker) {
  const auto& config = folder.config();
  const auto v = core::velocityField(makeDdt(config.at("model"), folder.file("model"), /*is_student=*/false));
  const auto weak =
      core::velocityField(makeDdt(config.at("guidance_model"), folder.file("guidance_model"), /*is_student=*/false));
  for (const auto& [name, run] : config.at("runs").items()) {
    if (!run.is_object()) continue;  // a run that the reference cannot finish
    if (run.contains("guidance")) {
      runOde(folder, checker, name, run, v, weak);
    } else if (run.contains("heun")) {
      runUniformEuler(folder, checker, name, run, v);
    } else {
      runSde(folder, checker, name, run, v);
    }
  }
  if (!folder.has("io", "one.t")) return;
  const torch::NoGradGuard no_grad;
  // Single evaluations on both sides of and inside the interval; case.json leaves their settings out.
  const base::GuidanceConfig guidance{.scale = 1.8, .t_min = 0.3, .t_max = 0.9};
  const auto& z = folder.io("z");
  const auto& t = folder.io("one.t");
  const auto& y = folder.io("y");
  checker.check("one.v", v(z, t, y));
  checker.check("one.cfg", core::classifierFreeGuidance(v, guidance, config.at("model").at("num_classes").get<std::int64_t>())(z, t, y));
  checker.check("one.ag", core::autoGuidance(v, weak, guidance)(z, t, y));
}

}  // namespace meanflow::training
