// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "core/base/config/run_config.h"
#include "core/base/result.h"

namespace meanflow::training {

/// What a step does for the instruments, as far as time goes. A run has all but the first, most of them quiet.
enum class InstrumentedStep : std::size_t {
  kWithout,      ///< Nothing is measured by block or over time, nothing judged but whether it is finite.
  kQuiet,        ///< Alarms, the flight recorder and sums over time.
  kFigures,      ///< Those, and the figures that are due every diagnostics.figures_every steps.
  kActivations,  ///< All of that with activations, due every diagnostics.activations_every steps.
};
inline constexpr std::size_t kNumInstrumentedSteps = 4;
/// Seconds of every step, by what it did; steps of one index ran one after another.
using InstrumentedSeconds = std::array<std::vector<double>, kNumInstrumentedSteps>;

struct StageInstrumentCost {
  std::string stage;
  std::int64_t num_steps = 0;       ///< Of each kind.
  double step_seconds = 0;          ///< Mean over a run's mixture of steps.
  double step_seconds_without = 0;  ///< Median.
  double share = 0;                 ///< Of a step that the instruments take: 0.02 = 2 %.
  double share_error = 0;           ///< Standard error, from the scatter.
  /// Medians beyond step_seconds_without.
  double quiet_seconds = 0, figures_seconds = 0, activations_seconds = 0;
};

/// Weighs the kinds as a run has them: the median of the paired differences to the step without, times how often
/// the kind comes.
StageInstrumentCost instrumentCost(const InstrumentedSeconds& seconds, const base::DiagnosticsConfig& settings);

struct InstrumentCostReport {
  std::string device;
  std::string
      clock;  ///< "cpu": CPU time of the leading worker, which programs beside it disturb little; "wall" on a GPU.
  int num_workers = 0;
  std::vector<StageInstrumentCost> stages;
};

struct InstrumentCostOptions {
  int num_steps = 40;  ///< Of each kind, after some that warm up.
  std::function<void(const std::string& stage, int done, int total)> progress;
  std::stop_token stop;
};

/// Trains teacher, cmt and mean_flow, those of them that `config` has, for a few steps with untrained networks, each
/// kind of step in turn in one process, and tells what the instruments that are always on take of a step. Events go
/// where those of a run go, into files of a temporary folder. Errors: data or settings that cannot be trained, a stage
/// that diverges, a stop that was asked for.
base::Result<InstrumentCostReport> measureInstrumentCost(const base::RunConfig& config,
                                                         const InstrumentCostOptions& options = {});

}  // namespace meanflow::training
