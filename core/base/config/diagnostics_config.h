// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <string>

#include "core/base/config/field.h"

namespace meanflow::base {

/// What a run watches of its own health, and what it does when something leaves its normal range.
struct DiagnosticsConfig {
  std::int64_t figures_every = 10;
  std::int64_t activations_every = 100;
  std::int64_t residuals_every = 0;
  std::int64_t derivative_every = 0;
  std::int64_t jump_map_every = 0;
  std::int64_t probe_samples = 64;
  std::int64_t jump_map_steps = 64;
  std::int64_t recorder_steps = 64;
  std::string on_divergence = "stop";
  std::string verdict = "auto";
  double explosion_factor = 1000;
  double spike_score = 10;
  std::int64_t max_skips = 20;
  std::int64_t max_rollbacks = 3;
  std::int64_t rollback_skips = 2;
  bool replay = true;
};
template <class V>
void describe(V& v, DiagnosticsConfig& c) {
  v.field("figures_every", c.figures_every,
          {.help = "Steps between norms of gradients, updates, moments and weights by block, and losses by time; 0 = "
                   "none",
           .unit = "steps",
           .min = 0,
           .max = 1e9});
  v.field("activations_every", c.activations_every,
          {.help = "Steps between probes of activations and attention logits by block, a multiple of figures_every; 0 "
                   "= none",
           .unit = "steps",
           .min = 0,
           .max = 1e9});
  v.field("residuals_every", c.residuals_every,
          {.help = "mean_flow: steps between measurements of bias and variance (Proposition 3.1); 0 = none",
           .unit = "steps",
           .min = 0,
           .max = 1e9});
  v.field("derivative_every", c.derivative_every,
          {.help = "mean_flow: steps between comparisons of the finite difference with the exact derivative; 0 = none",
           .unit = "steps",
           .min = 0,
           .max = 1e9});
  v.field("jump_map_every", c.jump_map_every,
          {.help = "cmt, mean_flow: steps between maps of the student's jumps against the teacher's fine solution; 0 = "
                   "none",
           .unit = "steps",
           .min = 0,
           .max = 1e9});
  v.field(
      "probe_samples", c.probe_samples,
      {.help = "Fixed samples that these measurements are taken on; the sweep of delta_t and the map of jumps take at "
               "most 16 of them",
       .unit = "samples",
       .min = 1,
       .max = 65536});
  v.field("jump_map_steps", c.jump_map_steps,
          {.help = "Euler steps of the teacher's fine solution", .unit = "steps", .min = 8, .max = 10000});
  v.field("recorder_steps", c.recorder_steps,
          {.help = "Steps that the flight recorder remembers", .unit = "steps", .min = 1, .max = 100000});
  v.field("on_divergence", c.on_divergence,
          {.help = "When a loss or gradient is not finite or explodes: stop; skip the step and count it; roll_back to "
                   "the last healthy checkpoint and pass over the bad steps",
           .choices = {"stop", "skip", "roll_back"}});
  v.field(
      "verdict", c.verdict,
      {.help = "When a step is judged. immediate: the update waits for the verdict. deferred: the device holds back "
               "a bad update by itself and the verdict is read while the next step is computed, so that nothing "
               "waits. auto: deferred on a GPU",
       .choices = {"auto", "immediate", "deferred"}});
  v.field("explosion_factor", c.explosion_factor,
          {.help = "An explosion is a loss or gradient norm of this many times the median of the recent past; 0 = only "
                   "what is not finite",
           .min = 0,
           .max = 1e12});
  v.field("spike_score", c.spike_score,
          {.help = "Warn where loss, gradient norm or a block's update norm has a robust z-score above this; 0 = never",
           .min = 0,
           .max = 1e6});
  v.field("max_skips", c.max_skips,
          {.help = "Skipped steps in a row before the run stops (on_divergence: skip)",
           .unit = "steps",
           .min = 1,
           .max = 1e6});
  v.field("max_rollbacks", c.max_rollbacks,
          {.help = "Times that a stage may be rolled back before the run stops (on_divergence: roll_back)",
           .min = 1,
           .max = 1e6});
  v.field("rollback_skips", c.rollback_skips,
          {.help = "Steps passed over up to and with the bad one after a roll-back (on_divergence: roll_back)",
           .unit = "steps",
           .min = 1,
           .max = 1e6});
  v.field("replay", c.replay,
          {.help = "Replay a bad step with every operation watched, name where it began and write a report"});
}

}  // namespace meanflow::base
