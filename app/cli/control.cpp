// SPDX-License-Identifier: Apache-2.0
#include <iostream>

#include "app/cli/commands.h"
#include "app/cli/run_in_terminal.h"
#include "core/base/events/command_json.h"
#include "core/base/run/inbox.h"
#include "core/base/run/run_folder.h"

namespace meanflow::app {

void addControl(CLI::App& app, Action& action) {
  auto* command =
      app.add_subcommand("control", "Pause, resume, stop, discard, save, or change a setting of a run that is going");
  struct Options {
    std::string run, name, argument;
  };
  auto options = std::make_shared<Options>();
  command->add_option("RUN", options->run, "Run folder")->required();
  command->add_option("COMMAND", options->name, "pause, resume, stop, discard, save or change_setting")->required();
  command->add_option("KEY=VALUE", options->argument, "For change_setting, e.g. teacher.training.lr=1e-3");
  command->callback([&action, options] {
    action = [options] {
      const auto folder = base::RunFolder::open(options->run);
      if (!folder) return reportError(folder.error());
      const auto parsed = base::commandFromName(options->name, options->argument);
      if (!parsed) return reportError(parsed.error());
      if (!folder->isOwnedBySomeone())
        return reportError(
            {options->run +
             " is not being trained now, so nobody would take the command; start it with `meanflow train " +
             options->run + "`"});
      if (const auto sent = base::Inbox(folder->inbox()).send(*parsed); !sent) return reportError(sent.error());
      std::cerr << "sent; it is taken at the next step\n";
      return static_cast<int>(kDone);
    };
  });
}

}  // namespace meanflow::app
