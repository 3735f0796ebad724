// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <iostream>

#include "app/cli/commands.h"
#include "app/cli/run_in_terminal.h"
#include "core/base/config/config_io.h"

namespace meanflow::app {

void addTrain(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand("train", "Train a pipeline from a configuration, or go on with a run folder");
  auto options = std::make_shared<TerminalRun>();
  auto config = std::make_shared<std::string>();
  command->add_option("CONFIG", *config, "Preset name, YAML file, or an existing run folder to continue")->required();
  command->add_option("KEY=VALUE", options->request.overrides, "Settings that replace those of CONFIG, e.g. mean_flow.training.lr=2e-5");
  command->add_option("--out", options->request.run_folder, "Run folder (default: runs/NAME of the configuration)");
  command->add_option("--device", options->device, "auto, cpu, cuda or cuda:N");
  command->add_option("--seed", options->seed, "Seed of all random streams");
  command->add_flag("--start-paused", options->request.start_paused, "Load everything, then wait for `meanflow control RUN resume`");
  command->add_flag("--json", options->is_json, "Events as JSON lines on stdout instead of progress bars");
  command->callback([&action, options, config] {
    action = [options, config] {
      options->setSource(*config);
      return runInTerminal(*options);
    };
  });
}

}  // namespace meanflow::app
