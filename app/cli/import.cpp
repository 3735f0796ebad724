// SPDX-License-Identifier: Apache-2.0
#include <iostream>
#include <nlohmann/json.hpp>

#include "app/cli/commands.h"
#include "app/cli/run_in_terminal.h"
#include "core/device/device.h"
#include "training/exchange/import_checkpoint.h"

namespace meanflow::app {

void addImport(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand(
      "import", "Put a published or foreign checkpoint into a run folder, as if the stage had been trained there");
  struct Options {
    training::ImportRequest request;
    std::string weights;
    bool is_json = false;
  };
  auto options = std::make_shared<Options>();
  auto& request = options->request;
  command
      ->add_option("SRC", request.source,
                   "Checkpoint: .pt/.pth/.ckpt/.bin, safetensors (also in shards), .npz, a Hugging Face folder, a "
                   "STAGE/checkpoints/step_N, or a hub name that is in the cache")
      ->required();
  command->add_option("KEY=VALUE", request.overrides,
                      "Settings of the run folder; also what tensors do not tell, e.g. teacher.model.num_heads=6,16");
  command->add_option("--out", request.out, "Run folder to make or to extend")->required();
  command
      ->add_option("--as", request.as,
                   "What it becomes: encoder, decoder, statistics, teacher, cmt or mean_flow (default: by its content)")
      ->check(CLI::IsMember({"encoder", "decoder", "statistics", "teacher", "cmt", "mean_flow"}));
  command
      ->add_option("--weights", options->weights,
                   "Take the average (ema) or the weights (model) for both; default: each from its own")
      ->check(CLI::IsMember({"ema", "model"}));
  command->add_option("--config", request.config, "Preset or YAML file that a new run folder starts from");
  command->add_option("--step", request.step, "Number of its step (default: what the file says, else 0)")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1'000'000'000}));
  command->add_flag("--allow-partial", request.allow_partial,
                    "Go on where tensors are missing or do not fit; lists what stays at its initial value");
  command->add_flag("--force", request.force, "Replace what the run folder already holds of that stage");
  command->add_flag("--json", options->is_json, "Print what was done as JSON");
  command->callback([&action, options] {
    action = [options]() -> int {
      core::initialiseTorch();
      if (!options->weights.empty())
        options->request.only = options->weights == "ema" ? core::WeightSet::kAverage : core::WeightSet::kRaw;
      const auto report = training::importCheckpoint(options->request);
      if (!report) return reportError(report.error());
      if (options->is_json)
        std::cout << training::toJson(*report).dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
      else
        std::cout << training::toText(*report) << "\n";
      return kDone;
    };
  });
}

}  // namespace meanflow::app
