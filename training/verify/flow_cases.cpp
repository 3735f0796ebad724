// SPDX-License-Identifier: Apache-2.0
#include "training/verify/flow_cases.h"

#include <algorithm>

#include "core/flow/guidance.h"
#include "core/flow/mean_flow_sampler.h"
#include "core/flow/ode_solver.h"
#include "core/flow/sde_solver.h"
#include "core/flow/time_schedule.h"
#include "training/verify/model_cases.h"

namespace meanflow::training {
namespace {

// Logit-normal(-0.4, 1), the time distribution of the plain MeanFlow codes.
torch::Tensor plainLogitNormal(const torch::Tensor& normals) { return torch::sigmoid(normals - 0.4); }

void checkPlainMeanFlowTimes(const CaseFolder& folder, CaseChecker& checker, double ratio) {
  if (!folder.has("normals2")) return;
  const auto times = plainLogitNormal(folder.host("normals2", {-1, 2}));
  const auto& u_mask = folder.host("u_mask", {times.size(0)});
  const auto published = core::sortedPairs(times, u_mask, ratio);
  checker.checkIfPresent("meanflow_pt.logit_normal.r", published.r);
  checker.checkIfPresent("meanflow_pt.logit_normal.t", published.t);
  for (const auto& name : folder.names("io")) {  // meanflow_pt.uniform075.t: its own share of r < t
    const std::string start = "meanflow_pt.uniform";
    if (name.rfind(start, 0) != 0 || !name.ends_with(".t")) continue;
    const auto digits = name.substr(start.size(), name.size() - 2 - start.size());
    const double share = numberInName(digits.size() > 1 ? "0." + digits.substr(1) : digits, name);
    const auto uniform = core::sortedPairs(folder.host("u2", {-1, 2}), u_mask, share);
    checker.check(name, uniform.t);
    checker.checkIfPresent(name.substr(0, name.size() - 1) + "r", uniform.r);
  }
  // The JAX code sets r = t in the first three quarters of the batch instead of drawing a mask.
  auto first_rows = torch::ones_like(u_mask);
  first_rows.narrow(0, 0, static_cast<std::int64_t>(static_cast<double>(u_mask.size(0)) * (1 - ratio))).zero_();
  const auto jax = core::sortedPairs(times, first_rows, 0.25);
  checker.checkIfPresent("meanflow_jax.logit_normal.r", jax.r);
  checker.checkIfPresent("meanflow_jax.logit_normal.t", jax.t);
}

/// What every run of an ODE or SDE case starts from.
struct SamplerInputs {
  torch::Tensor z, y;
  std::int64_t num_classes = 0;
  double shift = 1;
};

base::GuidanceConfig guidanceOf(double scale, double t_min, double t_max) {
  return {.scale = scale, .t_min = t_min, .t_max = t_max};
}

// One entry of `runs`: an ODE run on the shifted grid.
void runOde(CaseChecker& checker, const std::string& name, const CaseConfig& run, const SamplerInputs& in,
            const core::VelocityField& v, const core::VelocityField& weak) {
  auto field = v;
  const auto guidance = run.text("guidance");
  if (guidance != "none") {
    const auto interval = run.numbers("interval", 2);
    const auto settings = guidanceOf(run.number("scale"), interval[0], interval[1]);
    if (guidance == "cfg") {
      field = core::classifierFreeGuidance(v, settings, in.num_classes);
    } else if (guidance == "autoguidance") {
      if (!weak) run.fail("guidance", "needs guidance_model.safetensors");
      field = core::autoGuidance(v, weak, settings);
    } else {
      run.fail("guidance", "must be none, cfg or autoguidance");
    }
  }
  const auto times = core::TimeSchedule::withShift(in.shift).grid(run.integer("num_steps", 2, 10000));
  const auto solution = core::solveOde(field, in.z, in.y, times,
                                       {.method = core::odeMethodFromName(run.text("sampling_method")),
                                        .atol = run.numberOr("atol", 1e-6, 1e-12, 1),
                                        .rtol = run.numberOr("rtol", 1e-3, 1e-12, 1)});
  checker.check(name + ".final", solution.final());
  checker.checkIfPresent(name + ".traj", torch::stack(solution.states));
}

void runUniformEuler(CaseChecker& checker, const std::string& name, const CaseConfig& run, const SamplerInputs& in,
                     const core::VelocityField& v) {
  const auto guidance = guidanceOf(run.number("cfg_scale"), run.number("low"), run.number("high"));
  checker.check(name + ".final", core::sampleUniformGrid(v, in.z, in.y, run.integer("num_steps", 1, 10000),
                                                         run.flag("heun"), guidance, in.num_classes));
}

void runSde(const CaseFolder& folder, CaseChecker& checker, const std::string& name, const CaseConfig& run,
            const SamplerInputs& in, const core::VelocityField& v) {
  const core::SdeOptions options{.method = core::sdeMethodFromName(run.text("sampling_method")),
                                 .diffusion = core::diffusionFormFromName(run.text("diffusion_form")),
                                 .diffusion_norm = run.numberOr("diffusion_norm", 1),
                                 .last_step = core::sdeLastStepFromName(run.textOr("last_step", "")),
                                 .last_step_size = run.number("last_step_size", 0, 1),
                                 .num_steps = run.integer("num_steps", 2, 10000)};
  const auto normals = folder.io("sde.noises", {-1, in.z.size(0), in.z.size(1), in.z.size(2), in.z.size(3)});
  if (normals.size(0) < options.num_steps - 1) run.fail("num_steps", "needs more rows in the tensor 'sde.noises'");
  checker.check(name + ".final", core::solveSde(v, in.z, in.y, core::TimeSchedule::withShift(in.shift), options,
                                                [&](std::int64_t k) { return normals[k]; }));
}

SamplerInputs samplerInputs(const CaseFolder& folder, const core::DdtOptions& options) {
  const auto side = options.input_size;
  const auto z = folder.io("z", {-1, options.in_channels, side, side});
  return {.z = z, .y = folder.labels("y", {z.size(0)}, options.num_classes), .num_classes = options.num_classes};
}

}  // namespace

base::TimeConfig timeConfigFromName(const std::string& name, double shift) {
  base::TimeConfig config;
  config.shift = shift;
  if (name == "uniform") return config;
  // logit-normal_0_1, or logitmnormal_m0p4_1p2 in a tensor's name: m stands for minus, p for the point.
  const auto second = name.rfind('_');
  const auto first = second == std::string::npos || second == 0 ? std::string::npos : name.rfind('_', second - 1);
  if (first == std::string::npos || name.rfind("logit", 0) != 0)
    throw std::runtime_error("time distribution '" + name + "' is neither uniform nor logit-normal_MU_SIGMA");
  const auto number = [&](std::string text) {
    std::replace(text.begin(), text.end(), 'm', '-');
    std::replace(text.begin(), text.end(), 'p', '.');
    return numberInName(text, name);
  };
  config.distribution = "logit_normal";
  config.mu = number(name.substr(first + 1, second - first - 1));
  config.sigma = number(name.substr(second + 1));
  return config;
}

void runTimeSamplers(const CaseFolder& folder, CaseChecker& checker) {
  const auto config = folder.config();
  const double ratio = config.number("ratio_r_not_equal_t", 0, 1);
  const auto shifts = config.at("shifts");
  for (const auto& shift_name : shifts.keys()) {
    const double shift = shifts.number(shift_name, 1, 1e6);
    const auto start = shift_name + ".";
    for (const auto& name : folder.names("io")) {
      if (name.rfind(start, 0) != 0) continue;
      if (name.rfind(start + "grid", 0) == 0) {
        const double num_points = numberInName(name.substr(start.size() + 4), name);
        if (num_points < 2 || num_points > 100000)
          throw std::runtime_error("tensor '" + name + "': no grid has so many points");
        checker.check(name,
                      torch::tensor(core::TimeSchedule::withShift(shift).grid(static_cast<std::int64_t>(num_points)),
                                    torch::kFloat64));
        continue;
      }
      // SHIFT.DISTRIBUTION.t, .mf_r or .mf_t
      const auto dot = name.rfind('.');
      const core::TimeSchedule schedule(timeConfigFromName(name.substr(start.size(), dot - start.size()), shift), 1);
      const auto kind = name.substr(dot + 1);
      if (kind == "t") checker.check(name, schedule.fromUniforms(folder.host("u")));
      if (kind != "mf_r" && kind != "mf_t") continue;
      const auto& u2 = folder.host("u2", {-1, 2});
      const auto pairs = schedule.pairsFromUniforms(u2, folder.host("u_mask", {u2.size(0)}), ratio);
      checker.check(name, kind == "mf_r" ? pairs.r : pairs.t);
    }
  }
  checkPlainMeanFlowTimes(folder, checker, ratio);
}

void runMeanFlowSamplers(const CaseFolder& folder, CaseChecker& checker) {
  const auto student = makeDdt(folder, folder.config().at("model"), "student", /*is_student=*/true);
  const auto u = core::flowMap(student);
  const auto in = samplerInputs(folder, student->options());
  const auto steps = [](const std::string& text, const std::string& name) {
    const double number = numberInName(text, name);
    if (number < 1 || number > 10000) throw std::runtime_error("tensor '" + name + "': cannot sample in so many steps");
    return static_cast<std::int64_t>(number);
  };
  for (const auto& name : folder.names("io")) {
    const std::string final_part = ".final", guided_prefix = "zhuyu.cfg", steps_part = ".steps";
    if (name.rfind("mf", 0) == 0 && name.ends_with(final_part))
      checker.check(
          name, core::sampleMeanFlow(u, in.z, in.y, steps(name.substr(2, name.size() - 2 - final_part.size()), name)));
    const auto steps_at = name.find(steps_part);
    if (name.rfind(guided_prefix, 0) != 0 || steps_at == std::string::npos) continue;
    const double scale = numberInName(name.substr(guided_prefix.size(), steps_at - guided_prefix.size()), name);
    checker.check(name, core::sampleMeanFlow(core::classifierFreeGuidance(u, scale, in.num_classes), in.z, in.y,
                                             steps(name.substr(steps_at + steps_part.size()), name)));
  }
  if (folder.has("img_uint8")) checker.check("img_uint8", core::toUint8(folder.io("img", {-1, -1, -1, -1})));
}

void runOdeSamplers(const CaseFolder& folder, CaseChecker& checker) {
  const auto config = folder.config();
  const auto network = makeDdt(folder, config.at("model"), "model", /*is_student=*/false);
  const auto v = core::velocityField(network);
  core::VelocityField weak;
  if (folder.hasFile("guidance_model"))
    weak = core::velocityField(makeDdt(folder, config.at("guidance_model"), "guidance_model", /*is_student=*/false));
  auto in = samplerInputs(folder, network->options());
  in.shift = config.number("shift", 1, 1e6);
  const auto runs = config.at("runs");
  for (const auto& name : runs.keys()) {
    if (runs.json()[name].is_string()) continue;  // a run that the reference cannot finish, and why
    const auto run = runs.at(name);
    if (run.has("guidance")) {
      runOde(checker, name, run, in, v, weak);
    } else if (run.has("heun")) {
      runUniformEuler(checker, name, run, in, v);
    } else {
      runSde(folder, checker, name, run, in, v);
    }
  }
  if (!folder.has("one.t")) return;
  const torch::NoGradGuard no_grad;
  // Single evaluations on both sides of and inside the interval; a case.json may leave their settings out.
  const auto guidance = guidanceOf(config.numberOr("one_scale", 1.8), config.numberOr("one_t_min", 0.3),
                                   config.numberOr("one_t_max", 0.9));
  const auto t = folder.io("one.t", {in.z.size(0)});
  checker.checkIfPresent("one.v", v(in.z, t, in.y));
  checker.checkIfPresent("one.cfg", core::classifierFreeGuidance(v, guidance, in.num_classes)(in.z, t, in.y));
  if (weak) checker.checkIfPresent("one.ag", core::autoGuidance(v, weak, guidance)(in.z, t, in.y));
}

}  // namespace meanflow::training
