// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "app/cli/commands.h"
#include "app/cli/inspect_checkpoint.h"
#include "app/cli/run_in_terminal.h"
#include "core/base/events/event_log.h"
#include "core/base/metrics/metrics_store.h"
#include "core/base/run/run_folder.h"
#include "core/base/run/run_state.h"
#include "core/device/device.h"

namespace meanflow::app {
namespace {

using Json = nlohmann::ordered_json;

int inspectRun(const std::string& path, bool is_json) {
  const auto folder = base::RunFolder::open(path);
  if (!folder) return reportError(folder.error());
  // A folder that was only imported into has no events yet.
  base::Result<std::vector<base::EventRecord>> events = std::vector<base::EventRecord>();
  if (std::filesystem::exists(folder->events())) events = base::readAllEvents(folder->events());
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
  for (const char* name : {"encoder", "decoder", "teacher", "cmt", "mean_flow"}) {
    const auto checkpoints = folder->listCheckpoints(name);
    const auto is_told = [&](const auto& stage) { return stage.name == name; };
    if (checkpoints.empty() || std::any_of(store.stages().begin(), store.stages().end(), is_told)) continue;
    root["stages"].push_back(
        {{"stage", name}, {"step", checkpoints.back().step}, {"checkpoints", checkpoints.size()}, {"imported", true}});
    if (!is_json) std::cout << fmt::format("  {:<10} imported, {}\n", name, folder->relative(checkpoints.back().path));
  }
  if (is_json) std::cout << root.dump(2) << "\n";
  return kDone;
}

}  // namespace

void addInspect(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand(
      "inspect", "Say what a run folder or a checkpoint of any kind holds: which model it is and every tensor in it");
  struct Options {
    std::string path;
    bool is_json = false, is_brief = false;
  };
  auto options = std::make_shared<Options>();
  command
      ->add_option(
          "PATH", options->path,
          "Run folder, STAGE/checkpoints/step_N, safetensors, .pt/.pth/.ckpt/.bin, .npz, a Hugging Face folder "
          "or a hub name that is in the cache")
      ->required();
  command->add_flag("--shapes", options->is_brief,
                    "Names and shapes alone: no value is read, whatever the file's size");
  command->add_flag("--json", options->is_json, "As JSON");
  command->callback([&action, options] {
    action = [options]() -> int {
      core::initialiseTorch();
      namespace fs = std::filesystem;
      const fs::path path = options->path;
      if (base::RunFolder::isRunFolder(path)) return inspectRun(options->path, options->is_json);
      std::error_code code;
      if (fs::is_directory(path, code) && fs::is_empty(path, code))
        return reportError({options->path + " is neither a run folder (no config.yaml) nor a checkpoint: it is empty",
                            base::ErrorKind::kUsage});
      return inspectCheckpoint(options->path, !options->is_brief, options->is_json);
    };
  });
}

}  // namespace meanflow::app
