// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <unistd.h>

#include <iostream>
#include <nlohmann/json.hpp>
#include <stop_token>

#include "app/cli/commands.h"
#include "app/cli/run_in_terminal.h"
#include "app/cli/signal_watch.h"
#include "core/base/config/config_io.h"
#include "core/device/device.h"
#include "training/diagnostics/instrument_cost.h"

namespace meanflow::app {
namespace {

struct BenchArguments {
  std::string kind, preset = "demo";
  std::vector<std::string> overrides;
  int num_steps = 40;
  bool is_json = false;
};

nlohmann::ordered_json costJson(const training::InstrumentCostReport& report) {
  auto stages = nlohmann::ordered_json::array();
  for (const auto& stage : report.stages)
    stages.push_back({{"stage", stage.stage},
                      {"step_seconds", stage.step_seconds},
                      {"step_seconds_without", stage.step_seconds_without},
                      {"share", stage.share},
                      {"share_error", stage.share_error},
                      {"quiet_seconds", stage.quiet_seconds},
                      {"figures_seconds", stage.figures_seconds},
                      {"activations_seconds", stage.activations_seconds},
                      {"steps_of_each_kind", stage.num_steps}});
  return {{"device", report.device}, {"clock", report.clock}, {"num_workers", report.num_workers}, {"stages", stages}};
}

std::string costText(const training::InstrumentCostReport& report) {
  auto text = fmt::format("{}, {} worker{}, {} time\n", report.device, report.num_workers,
                          report.num_workers == 1 ? "" : "s", report.clock == "cpu" ? "CPU" : "wall");
  for (const auto& stage : report.stages)
    text += fmt::format(
        "  {:<10} {:.4f} s a step, {:.4f} s without instruments: {:.2f} % (+- {:.2f} %); a quiet step {:+.2f} ms, one "
        "with figures {:+.2f} ms, with activations {:+.2f} ms\n",
        stage.stage, stage.step_seconds, stage.step_seconds_without, 100 * stage.share, 100 * stage.share_error,
        1e3 * stage.quiet_seconds, 1e3 * stage.figures_seconds, 1e3 * stage.activations_seconds);
  return text;
}

/// What the instruments that are always on take of a step: on the configured device, and on a GPU where there is one.
int benchDiagnostics(const BenchArguments& arguments) {
  auto config = base::loadConfig(arguments.preset, arguments.overrides);
  if (!config) return reportError(config.error());
  core::initialiseTorch();
  std::stop_source stop;
  const SignalWatch signals([&](int) { stop.request_stop(); });
  training::InstrumentCostOptions options{.num_steps = arguments.num_steps, .progress = {}, .stop = stop.get_token()};
  if (isatty(STDERR_FILENO))
    options.progress = [](const std::string& stage, int done, int total) {
      std::cerr << "\r\033[K" << stage << " " << done << "/" << total;
    };
  const auto measure = [&] {
    auto report = training::measureInstrumentCost(*config, options);
    if (options.progress) std::cerr << "\r\033[K";
    return report;
  };
  const auto fail = [&](const base::Error& error) {
    const int code = reportError(error);
    return stop.stop_requested() ? static_cast<int>(kPreempted) : code;
  };
  const auto report = measure();
  if (!report) return fail(report.error());
  auto root = costJson(*report);
  auto text = costText(*report);
  root["gpu"] = "not measured";
  if (report->device.starts_with("cuda")) {
    root["gpu"] = report->device;
  } else if (core::resolveDevice("auto").is_cuda()) {
    config->device = "cuda", config->num_workers = 0;
    const auto on_gpu = measure();
    if (!on_gpu) return fail(on_gpu.error());
    root["gpu"] = costJson(*on_gpu);
    text += costText(*on_gpu);
  } else {
    text += "GPU: not measured, there is none\n";
  }
  if (arguments.is_json)
    std::cout << root.dump(2) << "\n";
  else
    std::cout << text;
  return kDone;
}

}  // namespace

void addBench(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand("bench", "Measure what a part of the program costs on this machine");
  auto arguments = std::make_shared<BenchArguments>();
  command
      ->add_option("KIND", arguments->kind,
                   "diagnostics: the share of a training step that the instruments take which are always on - alarms, "
                   "flight recorder, figures by block and over time - with untrained networks, steps with and without "
                   "them in turn")
      ->required()
      ->check(CLI::IsMember({"diagnostics"}));
  command->add_option("KEY=VALUE", arguments->overrides, "Settings that replace those of the preset");
  command->add_option("--preset", arguments->preset, "Preset name or YAML file (default: demo)");
  command->add_option("--steps", arguments->num_steps, "Steps of each of four kinds (default: 40)")
      ->check(CLI::Range(2, 100000));
  command->add_flag("--json", arguments->is_json, "As JSON");
  command->callback([&action, arguments] { action = [arguments] { return benchDiagnostics(*arguments); }; });
}

}  // namespace meanflow::app
