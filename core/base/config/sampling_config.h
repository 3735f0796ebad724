// SPDX-License-Identifier: Apache-2.0
//
// How images are drawn from a finished network when nothing else is asked for.
#pragma once
#include <cstdint>
#include <string>

#include "core/base/config/model_config.h"

namespace meanflow::base {

struct SamplingGuidanceConfig {
  std::string method = "cfg";
  double scale = 1;
  double t_min = 0, t_max = 1;
  DdtConfig model;
  std::string weights;
};
template <class V>
void describe(V& v, SamplingGuidanceConfig& c) {
  v.field("method", c.method,
          {.help = "cfg: v_null + scale (v - v_null); autoguidance: v_weak + scale (v - v_weak) with a weaker network",
           .choices = {"cfg", "autoguidance"}});
  v.field("scale", c.scale, {.help = "Guidance scale of the teacher's samples; 1 = off", .min = 0, .max = 100});
  v.field("t_min", c.t_min, {.help = "Guidance is active from this time", .min = 0, .max = 1});
  v.field("t_max", c.t_max, {.help = "Guidance is active up to this time", .min = 0, .max = 1});
  v.section("model", c.model, "The weaker network (method: autoguidance)");
  v.field("weights", c.weights, {.help = "Checkpoint of the weaker network (method: autoguidance)"});
}

struct SamplingConfig {
  std::string network = "student";
  std::int64_t nfe = 1;
  std::string mode = "ode";
  std::string method = "euler";
  std::int64_t steps = 50;
  double grid_end = 0.001;
  double atol = 1e-6, rtol = 1e-3;
  std::string diffusion_form = "sigma";
  double diffusion_norm = 1;
  std::string last_step = "mean";
  double last_step_size = 0.04;
  SamplingGuidanceConfig guidance;
};
template <class V>
void describe(V& v, SamplingConfig& c) {
  v.field("network", c.network,
          {.help = "Which network draws: the student in few steps, or the teacher by solving its equation",
           .choices = {"student", "teacher"}});
  v.field("nfe", c.nfe,
          {.help = "Network evaluations of the student, at equally spaced times",
           .unit = "evaluations",
           .min = 1,
           .max = 1000});
  v.field("mode", c.mode, {.help = "Teacher: ordinary or stochastic differential equation", .choices = {"ode", "sde"}});
  v.field("method", c.method,
          {.help = "Teacher: solver (dopri5 and bosh3 choose their steps; sde: euler or heun)",
           .choices = {"euler", "midpoint", "heun2", "heun3", "rk4", "dopri5", "bosh3", "heun"}});
  v.field("steps", c.steps,
          {.help = "Teacher: solver steps; N steps are N + 1 grid points, which is what the official num_steps counts",
           .unit = "steps",
           .min = 0,
           .max = 10000});
  v.field("grid_end", c.grid_end,
          {.help = "Teacher: end of the time grid before the shift (official 0.001)", .min = 0, .max = 0.5});
  v.field("atol", c.atol, {.help = "Absolute tolerance of the adaptive solvers", .min = 0, .max = 1});
  v.field("rtol", c.rtol, {.help = "Relative tolerance of the adaptive solvers", .min = 0, .max = 1});
  v.field("diffusion_form", c.diffusion_form,
          {.help = "Stochastic: diffusion coefficient over time",
           .choices = {"constant", "SBDM", "sigma", "linear", "decreasing", "increasing-decreasing"}});
  v.field("diffusion_norm", c.diffusion_norm,
          {.help = "Stochastic: factor on the diffusion coefficient", .min = 0, .max = 100});
  v.field("last_step", c.last_step,
          {.help = "Stochastic: how the last step is taken", .choices = {"mean", "tweedie", "euler", "none"}});
  v.field("last_step_size", c.last_step_size, {.help = "Stochastic: size of the last step", .min = 0, .max = 1});
  v.section("guidance", c.guidance, "Guidance of the teacher's samples");
}

}  // namespace meanflow::base
