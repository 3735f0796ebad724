// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cmath>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "app/cli/commands.h"
#include "app/cli/run_in_terminal.h"
#include "core/base/events/event_log.h"
#include "core/base/metrics/metrics_store.h"
#include "core/base/run/run_folder.h"
#include "core/base/run/run_state.h"
#include "core/checkpoint/tensor_file.h"
#include "core/device/device.h"

namespace meanflow::app {
namespace {

using Json = nlohmann::ordered_json;

std::string shapeText(const torch::Tensor& tensor) {
  std::string text;
  for (const auto size : tensor.sizes()) text += (text.empty() ? "" : ", ") + std::to_string(size);
  return "[" + text + "]";
}

int inspectTensors(const std::string& path, bool is_json) {
  const auto file = core::loadTensorFile(path);
  if (!file) return reportError(file.error());
  Json root = {{"file", path}, {"tensors", Json::array()}};
  std::int64_t num_values = 0, num_non_finite = 0;
  for (const auto& [name, tensor] : file->tensors) {
    const auto values = tensor.to(torch::kFloat64);
    const auto bad = (~torch::isfinite(values)).sum().item<std::int64_t>();
    num_values += tensor.numel();
    num_non_finite += bad;
    const double norm = values.norm().item<double>();
    root["tensors"].push_back({{"name", name},
                               {"shape", tensor.sizes().vec()},
                               {"dtype", std::string(c10::toString(tensor.scalar_type()))},
                               {"norm", std::isfinite(norm) ? Json(norm) : Json()},
                               {"non_finite", bad}});
    if (!is_json)
      std::cout << fmt::format("{:<56} {:<20} {:<8} norm {:>12.5g}{}\n", name, shapeText(tensor),
                               c10::toString(tensor.scalar_type()), norm,
                               bad ? fmt::format("  {} NON-FINITE", bad) : "");
  }
  root["num_tensors"] = file->tensors.size();
  root["num_values"] = num_values;
  root["non_finite"] = num_non_finite;
  if (is_json)
    std::cout << root.dump(2) << "\n";
  else
    std::cout << fmt::format("{} tensors, {} values, {} of them not finite\n", file->tensors.size(), num_values,
                             num_non_finite);
  return kDone;
}

int inspectRun(const std::string& path, bool is_json) {
  const auto folder = base::RunFolder::open(path);
  if (!folder) return reportError(folder.error());
  const auto events = base::readAllEvents(folder->events());
  if (!events) return reportError(events.error());
  base::MetricsStore store;
  for (const auto& record : *events) store.apply(record);
  Json root = {{"run", path},
               {"state", std::string(base::toString(store.state()))},
               {"is_going", folder->isOwnedBySomeone()},
               {"events", events->size()},
               {"stages", Json::array()}};
  if (!is_json)
    std::cout << fmt::format("{}: {}{}, {} events\n", path, base::toString(store.state()),
                             folder->isOwnedBySomeone() ? " (going now)" : "", events->size());
  for (const auto& stage : store.stages()) {
    const auto checkpoints = folder->listCheckpoints(stage.name);
    const auto* loss = store.series(stage.name, "loss");
    const double last_loss = loss && !loss->empty() ? loss->y(loss->size() - 1) : std::nan("");
    root["stages"].push_back({{"stage", stage.name},
                              {"step", stage.step},
                              {"total_steps", stage.total_steps},
                              {"loss", std::isfinite(last_loss) ? Json(last_loss) : Json()},
                              {"checkpoints", checkpoints.size()}});
    if (!is_json)
      std::cout << fmt::format("  {:<10} step {:>7} of {:<7} loss {:<10.4g} {} checkpoints{}\n", stage.name, stage.step,
                               stage.total_steps, last_loss, checkpoints.size(),
                               checkpoints.empty() ? "" : ", newest " + folder->relative(checkpoints.back().path));
  }
  if (is_json) std::cout << root.dump(2) << "\n";
  return kDone;
}

}  // namespace

void addInspect(CLI::App& app, Action& action) {
  auto* command =
      app.add_subcommand("inspect", "Say what a run folder, a checkpoint folder or a safetensors file holds");
  struct Options {
    std::string path;
    bool is_json = false;
  };
  auto options = std::make_shared<Options>();
  command->add_option("PATH", options->path, "Run folder, STAGE/checkpoints/step_N, or a .safetensors file")
      ->required();
  command->add_flag("--json", options->is_json, "As JSON");
  command->callback([&action, options] {
    action = [options]() -> int {
      core::initialiseTorch();
      namespace fs = std::filesystem;
      if (base::RunFolder::isRunFolder(options->path)) return inspectRun(options->path, options->is_json);
      if (fs::exists(fs::path(options->path) / "model.safetensors"))
        return inspectTensors((fs::path(options->path) / "model.safetensors").string(), options->is_json);
      if (!fs::exists(options->path)) return reportError({options->path + " does not exist", base::ErrorKind::kUsage});
      if (fs::is_directory(options->path))
        return reportError(
            {options->path + " is neither a run folder (no config.yaml) nor a checkpoint (no model.safetensors)",
             base::ErrorKind::kUsage});
      return inspectTensors(options->path, options->is_json);
    };
  });
}

}  // namespace meanflow::app
