// SPDX-License-Identifier: Apache-2.0
#include <iostream>

#include "app/cli/commands.h"
#include "app/cli/run_in_terminal.h"
#include "core/base/config/config_io.h"
#include "core/cost/cost_report.h"

namespace meanflow::app {

void addCost(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand(
      "cost", "Say what a configuration costs: parameters, GFLOPs an image, training FLOPs, memory, GPU-days");
  struct Options {
    std::string config;
    std::vector<std::string> overrides;
    double tera_flops = 0;
    std::int64_t num_gpus = 0;
    bool is_json = false;
  };
  auto options = std::make_shared<Options>();
  command
      ->add_option("CONFIG", options->config, "Preset name, YAML file of this program or of the reference repositories")
      ->required();
  command->add_option("KEY=VALUE", options->overrides,
                      "Settings that replace those of CONFIG, e.g. mean_flow.training.steps=50000");
  command
      ->add_option("--throughput", options->tera_flops,
                   "Sustained TFLOP/s of one GPU (default: 40 % of an H100's dense peak at the configured precision)")
      ->check(CLI::PositiveNumber);
  command->add_option("--gpus", options->num_gpus, "GPUs that share a batch (default: num_workers, or 1)")
      ->check(CLI::PositiveNumber);
  command->add_flag("--json", options->is_json, "As JSON");
  command->callback([&action, options] {
    action = [options]() -> int {
      const auto config = base::loadConfig(options->config, options->overrides);
      if (!config) return reportError(config.error());
      const auto report =
          core::costReport(*config, {.flops_per_second = options->tera_flops * 1e12, .num_gpus = options->num_gpus});
      if (!report) return reportError(report.error());
      if (options->is_json)
        std::cout << core::toJson(*report).dump(2) << "\n";
      else
        std::cout << core::toText(*report);
      return kDone;
    };
  });
}

}  // namespace meanflow::app
