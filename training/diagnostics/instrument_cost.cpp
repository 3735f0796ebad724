// SPDX-License-Identifier: Apache-2.0
#include "training/diagnostics/instrument_cost.h"

#include <c10/util/Exception.h>

#include <algorithm>
#include <cmath>

#include "core/device/device.h"
#include "training/run/record_sinks.h"
#include "training/run/rehearsal.h"
#include "training/run/run_context.h"
#include "training/run/supported_settings.h"
#include "training/workers/worker.h"

namespace meanflow::training {
namespace {

constexpr int kWarmUpSteps = 4;
constexpr std::int64_t kNever = 1'000'000'000;
constexpr std::int64_t kBenchTrajectories = 64;  // a worker

/// Kinds take turns, and each of the turns begins with another one.
InstrumentedStep kindOf(int step) {
  const int turn = step / static_cast<int>(kNumInstrumentedSteps);
  return static_cast<InstrumentedStep>((step + turn) % static_cast<int>(kNumInstrumentedSteps));
}

void setKind(base::DiagnosticsConfig& settings, InstrumentedStep kind, const base::DiagnosticsConfig& configured) {
  const bool is_without = kind == InstrumentedStep::kWithout;
  const bool has_figures = kind >= InstrumentedStep::kFigures;
  // Judged as in a run, but what an untrained network does to its loss stops nothing here.
  settings.explosion_factor = is_without || configured.explosion_factor == 0 ? 0 : 1e12;
  settings.spike_score = is_without || configured.spike_score == 0 ? 0 : 1e6;
  settings.figures_every = is_without || configured.figures_every == 0 ? 0 : has_figures ? 1 : kNever;
  settings.activations_every = kind == InstrumentedStep::kActivations && configured.activations_every > 0 ? 1 : 0;
}

/// Median of seconds beyond those without, and its standard error from the median absolute deviation.
struct Beyond {
  double median = 0, error = 0;
};
Beyond beyond(const std::vector<double>& with, const std::vector<double>& without) {
  std::vector<double> differences;
  for (std::size_t i = 0; i < std::min(with.size(), without.size()); ++i) differences.push_back(with[i] - without[i]);
  Beyond result{medianOf(differences), 0};
  for (auto& difference : differences) difference = std::abs(difference - result.median);
  constexpr double kSigmas = 1.4826, kErrorOfMedian = 1.2533;  // of a normal distribution
  if (!differences.empty())
    result.error =
        kSigmas * kErrorOfMedian * medianOf(differences) / std::sqrt(static_cast<double>(differences.size()));
  return result;
}

}  // namespace

StageInstrumentCost instrumentCost(const InstrumentedSeconds& seconds, const base::DiagnosticsConfig& settings) {
  const auto& without = seconds[static_cast<std::size_t>(InstrumentedStep::kWithout)];
  const auto of = [&](InstrumentedStep kind) { return beyond(seconds[static_cast<std::size_t>(kind)], without); };
  const auto often = [](std::int64_t every) { return every > 0 ? 1 / static_cast<double>(every) : 0.0; };
  const auto quiet = of(InstrumentedStep::kQuiet), figures = of(InstrumentedStep::kFigures),
             activations = of(InstrumentedStep::kActivations);
  const double activations_share = often(settings.activations_every);
  const double figures_share = std::max(0.0, often(settings.figures_every) - activations_share);
  const double quiet_share = 1 - figures_share - activations_share;
  StageInstrumentCost cost;
  cost.num_steps = static_cast<std::int64_t>(without.size());
  cost.step_seconds_without = medianOf(without);
  cost.quiet_seconds = quiet.median, cost.figures_seconds = figures.median,
  cost.activations_seconds = activations.median;
  const double more =
      quiet_share * quiet.median + figures_share * figures.median + activations_share * activations.median;
  cost.step_seconds = cost.step_seconds_without + more;
  if (cost.step_seconds_without <= 0) return cost;
  cost.share = more / cost.step_seconds_without;
  cost.share_error =
      std::hypot(quiet_share * quiet.error, figures_share * figures.error, activations_share * activations.error) /
      cost.step_seconds_without;
  return cost;
}

base::Result<InstrumentCostReport> measureInstrumentCost(const base::RunConfig& config,
                                                         const InstrumentCostOptions& options) {
  core::initialiseTorch();
  if (auto supported = checkSupported(config); !supported) return supported.error();
  const auto data = core::loadDataset(config.data);
  if (!data) return data.error();
  std::string at = "bench";
  try {
    InstrumentCostReport report;
    const auto device = core::resolveDevice(config.device);
    report.device = device.str();
    report.clock = device.is_cpu() ? "cpu" : "wall";
    report.num_workers = resolveNumWorkers(config.num_workers, device);
    auto bench = config;
    bench.cmt.bank_size = std::min(config.cmt.bank_size, kBenchTrajectories * report.num_workers);
    bench.cmt.bank_refresh_every = 0;
    const auto part = std::make_shared<const core::ImageDataset>(partOfData(*data, numRehearsalImages(config)));
    const TemporaryRun temporary(bench);
    const auto events = openRecord(temporary.folder(), {});
    const int num_kinds = static_cast<int>(kNumInstrumentedSteps);
    const int num_steps = options.num_steps * num_kinds;
    for (const auto& stage : config.stages) {
      if (stage != "teacher" && stage != "cmt" && stage != "mean_flow") continue;
      at = stage;
      const auto rehearsed = rehearseStage(
          stage, {bench, part, device, report.num_workers, temporary.folder(), *events, options.stop},
          {.num_steps = kWarmUpSteps + num_steps,
           .done =
               [&](int k) {
                 if (options.progress) options.progress(stage, k + 1, kWarmUpSteps + num_steps);
               },
           .prepare =
               [&](int k, base::RunConfig& settings) {
                 const auto kind = k < kWarmUpSteps ? InstrumentedStep::kActivations : kindOf(k - kWarmUpSteps);
                 setKind(settings.diagnostics, kind, config.diagnostics);
               }});
      const auto& all = device.is_cpu() ? rehearsed.steps.step_cpu_seconds : rehearsed.steps.step_seconds;
      InstrumentedSeconds seconds;
      for (int k = 0; k < num_steps; ++k)
        seconds[static_cast<std::size_t>(kindOf(k))].push_back(all[static_cast<std::size_t>(kWarmUpSteps + k)]);
      report.stages.push_back(instrumentCost(seconds, config.diagnostics));
      report.stages.back().stage = stage;
    }
    if (report.stages.empty())
      return base::Error{"none of teacher, cmt and mean_flow is among the stages of this configuration",
                         base::ErrorKind::kUsage};
    return report;
  } catch (const RunInterrupted&) {
    return base::Error{"stopped before the end"};
  } catch (const c10::Error& error) {
    return base::Error{at + ": " + error.what_without_backtrace()};
  } catch (const std::exception& error) {
    return base::Error{at + ": " + error.what()};
  }
}

}  // namespace meanflow::training
