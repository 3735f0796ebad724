// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "app/cli/commands.h"
#include "app/cli/run_in_terminal.h"
#include "core/base/run/atomic_file.h"
#include "core/base/run/demo_run.h"

namespace meanflow::app {

void addDemo(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand("demo", "Train the embedded demo from images to one-step samples, and score it");
  struct Options {
    base::DemoOptions demo;
    std::string device;
    bool is_json = false;
  };
  auto options = std::make_shared<Options>();
  command->add_option("--out", options->demo.run_folder,
                      "Run folder (default: under the XDG data folder, by seed); an interrupted one is continued");
  command->add_option("--seed", options->demo.seed, "Seed of all random streams")->check(CLI::NonNegativeNumber);
  command->add_flag("--quick", options->demo.is_quick,
                    "Smaller and shorter (about a minute): for trying the machinery out");
  command->add_flag("--control", options->demo.has_control, "Also spend MFD's compute on more CMT, to compare");
  command->add_option("--device", options->device, "auto, cpu, cuda or cuda:N");
  command->add_flag("--json", options->is_json, "Events as JSON lines on stdout instead of progress bars");
  command->callback([&action, options] {
    action = [options] {
      TerminalRun run;
      run.request = base::demoRequest(options->demo);
      run.device = options->device;
      run.is_json = options->is_json;
      const int code = runInTerminal(run);
      if (code != kDone) return code;
      const std::filesystem::path report = std::filesystem::path(run.request.run_folder) / "report";
      const auto table = base::readFile(report / "report.txt");
      if (table && !options->is_json) std::cout << "\n" << *table;
      std::cout << "\nsample grid: " << (report / "student_1.png").string()
                << "\nreport:      " << (report / "report.md").string() << "\n";
      return code;
    };
  });
}

}  // namespace meanflow::app
