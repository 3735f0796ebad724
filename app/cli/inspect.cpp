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
#include "core/base/events/event_json.h"
#include "core/base/events/event_log.h"
#include "core/base/metrics/metrics_store.h"
#include "core/base/run/health_report.h"
#include "core/base/run/run_folder.h"
#include "core/base/run/run_state.h"
#include "core/base/run/trace_folder.h"
#include "core/device/device.h"
#include "training/diagnostics/replay.h"

namespace meanflow::app {
namespace {

using Json = nlohmann::ordered_json;

int inspectRun(const std::string& path, bool is_json) {
  const auto folder = base::RunFolder::open(path);
  if (!folder) return reportError(folder.error());
  // A folder that was only imported into has no events yet.
  const auto events = std::filesystem::exists(folder->events()) ? base::readAllEvents(folder->events())
                                                                : base::Result(std::vector<base::EventRecord>{});
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

/// Alarms, what was found, and the newest measurements.
int diagnoseRun(const std::string& path, bool is_json) {
  const auto folder = base::RunFolder::open(path);
  if (!folder) return reportError(folder.error());
  const auto events = base::readAllEvents(folder->events());
  if (!events) return reportError(events.error());
  base::HealthReport report;
  for (const auto& record : *events) report.apply(record);
  if (is_json)
    std::cout << report.json().dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
  else
    std::cout << report.text();
  return kDone;
}

/// Trains again up to the step from the checkpoint before it, in a folder of its own, and looks into that step.
int replayStep(const std::string& path, const std::string& at, bool is_json) {
  TerminalRun place;
  place.request.run_folder = path;  // only to read STAGE:STEP
  if (const auto set = place.setBranch(path, at); !set) return reportError(set.error());
  const auto found = training::replayStep(*place.request.branch);
  if (!found) return reportError(found.error());
  if (is_json) {
    base::EventRecord record;
    record.event = *found;
    std::cout << base::toJsonLine(record) << "\n";
  } else {
    std::cout << found->text << "\n" << found->report << "/report.md\n";
  }
  return kDone;
}

/// Whether weights lie in a folder itself: a published model may bring the event files of its training along.
bool holdsWeights(const std::filesystem::path& folder) {
  std::error_code code;
  for (const auto& entry : std::filesystem::directory_iterator(folder, code)) {
    const std::string extension = entry.path().extension().string();
    for (const char* kind : {".safetensors", ".pt", ".pth", ".ckpt", ".bin", ".npz"})
      if (extension == kind) return true;
  }
  return false;
}

/// What another program recorded: its curves, pictures and what cannot be read.
int inspectTraces(const std::string& path, bool is_json) {
  auto traces = base::TraceFolder::open(path);
  if (!traces) return reportError(traces.error());
  base::MetricsStore store;
  do
    for (const auto& record : traces->poll()) store.apply(record);
  while (traces->hasMore());
  Json root = {{"path", path},
               {"description", traces->description()},
               {"torn_bytes", traces->numTornBytes()},
               {"curves", Json::array()},
               {"pictures", Json::array()},
               {"problems", Json::array()}};
  if (!is_json) std::cout << fmt::format("{}: of another program: {}\n", path, traces->description());
  for (const auto& stage : store.stages()) {
    for (const auto& name : store.seriesNames(stage.name)) {
      const auto& series = *store.series(stage.name, name);
      if (name == "unix_seconds" || series.empty()) continue;
      const double last = series.y(series.size() - 1);
      root["curves"].push_back({{"stage", stage.name},
                                {"tag", name},
                                {"points", series.size()},
                                {"last_step", series.x(series.size() - 1)},
                                {"last", std::isfinite(last) ? Json(last) : Json()}});
      if (!is_json)
        std::cout << fmt::format("  {:<20} {:<28} {:>8} points, step {:>8.0f}: {:.4g}\n", stage.name, name,
                                 series.size(), series.x(series.size() - 1), last);
    }
  }
  for (const auto& [stage, what] : store.sampleKeys()) {
    const auto& samples = store.samples(stage, what);
    root["pictures"].push_back({{"stage", stage}, {"what", what}, {"count", samples.size()}});
    if (!is_json) std::cout << fmt::format("  {:<20} {:<28} {:>8} pictures\n", stage, what, samples.size());
  }
  for (const auto& [file, sentence] : traces->problems()) {
    root["problems"].push_back(sentence);
    if (!is_json) std::cout << "  " << sentence << "\n";
  }
  if (!is_json && traces->numTornBytes() > 0)
    std::cout << fmt::format("  {} bytes at the ends of event files are no whole record (yet)\n",
                             traces->numTornBytes());
  if (is_json) std::cout << root.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
  return kDone;
}

}  // namespace

void addInspect(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand(
      "inspect", "Say what a run folder or a checkpoint of any kind holds: which model it is and every tensor in it");
  struct Options {
    std::string path;
    std::string replay;
    bool is_json = false, is_brief = false, is_diagnosis = false;
  };
  auto options = std::make_shared<Options>();
  command
      ->add_option(
          "PATH", options->path,
          "Run folder, STAGE/checkpoints/step_N, safetensors, .pt/.pth/.ckpt/.bin, .npz, a Hugging Face folder "
          "or a hub name that is in the cache; also a TensorBoard event file, a log.txt of SiT, DiT, mf-rae or RAE, "
          "or a folder of them")
      ->required();
  command->add_flag("--shapes", options->is_brief,
                    "Names and shapes alone: no value is read, whatever the file's size");
  command->add_flag("--diagnose", options->is_diagnosis,
                    "Of a run: its alarms, what was found, and the newest measurements of its health");
  command->add_option("--replay", options->replay,
                      "Of a run: train again to STAGE:STEP from the checkpoint before it, with every operation of that "
                      "step watched, and write a report; says how exactly the recorded losses came back");
  command->add_flag("--json", options->is_json, "As JSON");
  command->callback([&action, options] {
    action = [options]() -> int {
      core::initialiseTorch();
      namespace fs = std::filesystem;
      const fs::path path = options->path;
      std::error_code code;
      // RAE and mf-rae leave a config.yaml as well, but no record of events.
      const bool is_ours =
          base::RunFolder::isRunFolder(path) && (fs::exists(path / "events.jsonl", code) || !base::hasTraces(path));
      if (is_ours && !options->replay.empty()) return replayStep(options->path, options->replay, options->is_json);
      if (is_ours && options->is_diagnosis) return diagnoseRun(options->path, options->is_json);
      if (is_ours) return inspectRun(options->path, options->is_json);
      if (base::hasTraces(path) && !holdsWeights(path)) return inspectTraces(options->path, options->is_json);
      if (fs::is_directory(path, code) && fs::is_empty(path, code))
        return reportError({options->path + " is neither a run folder (no config.yaml) nor a checkpoint: it is empty",
                            base::ErrorKind::kUsage});
      return inspectCheckpoint(options->path, !options->is_brief, options->is_json);
    };
  });
}

}  // namespace meanflow::app
