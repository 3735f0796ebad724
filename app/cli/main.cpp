// SPDX-License-Identifier: Apache-2.0
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <exception>
#include <iostream>
#include <string>

#include "app/cli/commands.h"

int main(int argc, char** argv) {
  using namespace meanflow::app;
  CLI::App app("MeanFlow transformers on representation autoencoders: train, watch, sample, score", "meanflow");
  app.set_version_flag("--version", STUDIO_VERSION);
  app.require_subcommand(1);
  app.failure_message(CLI::FailureMessage::help);
  app.footer(
      "Exit codes: 0 done, 1 failed, 2 bad usage, 3 diverged, 75 stopped and saved (start again to go on), 130/143 "
      "signals.");
  Action action;
  addDemo(app, action);
  addTrain(app, action);
  addSample(app, action);
  addControl(app, action);
  addImport(app, action);
  addExport(app, action);
  addInspect(app, action);
  addConfig(app, action);
  addCost(app, action);
  addVerify(app, action);
  addBench(app, action);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    std::string what = error.what();
    if (app.get_subcommands().empty() &&
        !app.remaining().empty()) {  // "a subcommand is required" would not say what is wrong
      what = "there is no command '" + app.remaining().front() + "'; there are";
      for (const auto* command : app.get_subcommands([](const CLI::App*) { return true; }))
        what += " " + command->get_name();
    }
    std::cerr << "error: " << what << " (meanflow --help tells more)\n";
    return kUsage;
  }
  try {
    return action ? action() : kUsage;
  } catch (const std::exception& error) {
    std::cerr << "error: " << error.what() << "\n";
    return kFailed;
  }
}
