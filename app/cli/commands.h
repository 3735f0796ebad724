// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <CLI/App.hpp>
#include <functional>

namespace meanflow::app {

/// Exit codes of `meanflow` (130 and 143 are what a second SIGINT or SIGTERM gives).
enum ExitCode : int { kDone = 0, kFailed = 1, kUsage = 2, kDiverged = 3, kPreempted = 75 };

/// What to do when the subcommand was chosen; returns the exit code.
using Action = std::function<int()>;

// Each adds its subcommand with options and help to `app` and stores what to do in `action` when it is chosen.
void addDemo(CLI::App& app, Action& action);
void addTrain(CLI::App& app, Action& action);
void addSample(CLI::App& app, Action& action);
void addControl(CLI::App& app, Action& action);
void addImport(CLI::App& app, Action& action);
void addExport(CLI::App& app, Action& action);
void addInspect(CLI::App& app, Action& action);
void addConfig(CLI::App& app, Action& action);
void addCost(CLI::App& app, Action& action);
void addVerify(CLI::App& app, Action& action);
void addBench(CLI::App& app, Action& action);

}  // namespace meanflow::app
