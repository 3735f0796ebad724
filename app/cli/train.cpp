// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <stop_token>

#include "app/cli/commands.h"
#include "app/cli/config_help.h"
#include "app/cli/run_in_terminal.h"
#include "app/cli/signal_watch.h"
#include "core/base/config/config_io.h"
#include "core/base/run/run_folder.h"
#include "training/run/preflight.h"

namespace meanflow::app {
namespace {

/// --dry-run: what stands in the way of a start, and what it would take. 0 when it can start, 2 when it cannot.
int dryRun(TerminalRun& options, const std::string& source) {
  if (!options.device.empty()) options.request.overrides.push_back("device=" + options.device);
  if (options.seed) options.request.overrides.push_back("seed=" + std::to_string(*options.seed));
  const bool is_run = base::RunFolder::isRunFolder(source);
  const auto config = base::loadConfig(is_run ? source + "/config.yaml" : source, options.request.overrides);
  if (!config) return reportError(config.error());
  options.setSource(source);
  std::stop_source stop;
  const SignalWatch signals([&](int) {
    std::cerr << "\nending after this step (once more ends at once)\n";
    stop.request_stop();
  });
  training::PreflightOptions flight;
  flight.run_folder = options.request.run_folder;
  flight.stop = stop.get_token();
  flight.progress = [](const base::PreflightProgress& progress) {
    if (isatty(STDERR_FILENO))
      std::cerr << "\r\033[K" << progress.what << " " << progress.done << "/" << progress.total;
  };
  const auto report = training::runPreflight(*config, flight);
  if (isatty(STDERR_FILENO)) std::cerr << "\r\033[K";
  if (options.is_json)
    std::cout << base::toJson(report).dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
  else
    std::cout << base::toText(report);
  if (report.is_cancelled) return kPreempted;
  return report.isRefused() ? kUsage : kDone;
}

}  // namespace

void addTrain(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand("train", "Train a pipeline from a configuration, or go on with a run folder");
  auto options = std::make_shared<TerminalRun>();
  auto config = std::make_shared<std::string>();
  command->add_option(
      "CONFIG", *config,
      "Preset name, YAML file (of sony/mf-rae and bytetriper/RAE too), or an existing run folder to continue");
  command->add_option("KEY=VALUE", options->request.overrides,
                      "Settings that replace those of CONFIG, e.g. mean_flow.training.lr=2e-5");
  command->add_option("--out", options->request.run_folder, "Run folder (default: runs/NAME of the configuration)");
  command->add_option("--device", options->device, "auto, cpu, cuda or cuda:N");
  command->add_option("--seed", options->seed, "Seed of all random streams");
  command->add_flag("--start-paused", options->request.start_paused,
                    "Load everything, then wait for `meanflow control RUN resume`");
  command->add_flag("--json", options->is_json,
                    "Events as JSON lines on stdout instead of progress bars; the report of --dry-run as JSON");
  auto branch = std::make_shared<std::string>();
  command->add_option("--branch", *branch,
                      "CONFIG is a run folder: go on from STAGE:STEP of it in a new run (--out), with the settings "
                      "KEY=VALUE; the other run stays as it is");
  auto is_dry = std::make_shared<bool>(false);
  command->add_flag("--dry-run", *is_dry,
                    "Train nothing: a few steps of every stage, written nowhere, tell time, memory and disk of the run "
                    "and what stands in its way (exit code 2)");
  // Acts while the line is parsed: CONFIG need not be given beside it. Were CONFIG marked as required, CLI11 would keep
  // the word after
  // --help-config for it.
  command
      ->add_option_function<std::vector<std::string>>(
          "--help-config",
          [](const std::vector<std::string>& words) {
            const auto text = schemaText(words.empty() ? "" : words.front());
            if (!text) throw CLI::ValidationError("--help-config", text.error().message);
            std::cout << *text;
            throw CLI::Success();
          },
          "List the keys that CONFIG and KEY=VALUE may set, with ranges, units and defaults, of all or of one SECTION")
      ->expected(0, 1)
      ->type_name("SECTION")
      ->trigger_on_parse();
  command->callback([&action, options, config, is_dry, branch] {
    if (config->empty()) throw CLI::RequiredError("CONFIG");
    action = [options, config, is_dry, branch] {
      std::cerr << officialNote(*config, options->request.overrides);
      if (*is_dry) return dryRun(*options, *config);
      if (branch->empty()) {
        options->setSource(*config);
      } else if (const auto set = options->setBranch(*config, *branch); !set) {
        return reportError(set.error());
      }
      return runInTerminal(*options);
    };
  });
}

}  // namespace meanflow::app
