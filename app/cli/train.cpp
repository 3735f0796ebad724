// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <iostream>

#include "app/cli/commands.h"
#include "app/cli/config_help.h"
#include "app/cli/run_in_terminal.h"
#include "core/base/config/config_io.h"

namespace meanflow::app {

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
  command->add_flag("--json", options->is_json, "Events as JSON lines on stdout instead of progress bars");
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
  command->callback([&action, options, config] {
    if (config->empty()) throw CLI::RequiredError("CONFIG");
    action = [options, config] {
      std::cerr << officialNote(*config, options->request.overrides);
      options->setSource(*config);
      return runInTerminal(*options);
    };
  });
}

}  // namespace meanflow::app
