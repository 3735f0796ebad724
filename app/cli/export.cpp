// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <iostream>
#include <nlohmann/json.hpp>

#include "app/cli/commands.h"
#include "app/cli/run_in_terminal.h"
#include "core/device/device.h"
#include "training/exchange/export_checkpoint.h"

namespace meanflow::app {

void addExport(CLI::App& app, Action& action) {
  auto* command =
      app.add_subcommand("export", "Write the weights of a run's stage for Python, under the official names");
  struct Options {
    training::ExportRequest request;
    std::string format, weights = "ema", shard = "5GB";
    bool is_json = false;
  };
  auto options = std::make_shared<Options>();
  auto& request = options->request;
  command->add_option("RUN", request.run, "Run folder")->required();
  command->add_option("--out", request.out, "File to write, with --format hf a folder")->required();
  command
      ->add_option("--format", options->format,
                   "safetensors; pt: a state dict of torch.save; npz; hf: folder with config.json and README.md")
      ->required()
      ->check(CLI::IsMember({"safetensors", "pt", "npz", "hf"}));
  command
      ->add_option("--stage", request.stage,
                   "encoder, decoder, statistics, teacher, cmt or mean_flow (default: the student, else the teacher)")
      ->check(CLI::IsMember({"encoder", "decoder", "statistics", "teacher", "cmt", "mean_flow", "control"}));
  command->add_option("--step", request.step, "Checkpoint of that step (default: the newest)")
      ->check(CLI::NonNegativeNumber);
  command
      ->add_option("--weights", options->weights,
                   "ema, model, or with --format pt both: {model, ema, train_steps} as the official trainers write")
      ->check(CLI::IsMember({"ema", "model", "both"}));
  command
      ->add_option("--shard-size", request.shard_bytes, "hf: bytes after which the weights go on in another file (5GB)")
      ->transform(CLI::AsSizeValue(true));
  command->add_flag("--force", request.force, "Replace what --out names");
  command->add_flag("--json", options->is_json, "Print what was written as JSON");
  command->callback([&action, options] {
    action = [options]() -> int {
      core::initialiseTorch();
      auto& asked = options->request;
      asked.format = training::exportFormatFromName(options->format).value();
      asked.weights = training::exportedWeightsFromName(options->weights).value();
      const auto report = training::exportCheckpoint(asked);
      if (!report) return reportError(report.error());
      if (options->is_json) {
        std::cout << training::toJson(*report).dump(2) << "\n";
        return kDone;
      }
      for (const auto& file : report->files) std::cout << file << "\n";
      std::cerr << fmt::format("{}: {} tensors, {} bytes, stage {}, step {}\n", report->description,
                               report->num_tensors, report->num_bytes, report->stage, report->step);
      for (const auto& note : report->notes) std::cerr << "note: " << note << "\n";
      return kDone;
    };
  });
}

}  // namespace meanflow::app
