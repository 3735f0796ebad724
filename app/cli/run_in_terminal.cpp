// SPDX-License-Identifier: Apache-2.0
#include "app/cli/run_in_terminal.h"

#include <charconv>
#include <filesystem>
#include <iostream>
#include <mutex>

#include "app/cli/commands.h"
#include "app/cli/signal_watch.h"
#include "core/base/console/progress_bar.h"
#include "core/base/events/event_json.h"
#include "core/base/run/run_folder.h"
#include "training/run/training_run.h"

namespace meanflow::app {
namespace {

/// Every event as one JSON object a line on stdout.
class JsonSink final : public base::EventSink {
 public:
  void publish(const base::EventRecord& record) override { std::cout << base::toJsonLine(record) << std::endl; }
};

int exitCode(const base::Error& error) {
  switch (error.kind) {
    case base::ErrorKind::kUsage:
      return kUsage;
    case base::ErrorKind::kDiverged:
      return kDiverged;
    default:
      return kFailed;
  }
}

}  // namespace

int reportError(const base::Error& error) {
  std::cerr << "error: " << error.message << "\n";
  return exitCode(error);
}

void TerminalRun::setSource(const std::string& source) {
  if (base::RunFolder::isRunFolder(source)) {
    request.run_folder = source;
    return;
  }
  request.config = source;
  if (request.run_folder.empty())
    request.run_folder = (std::filesystem::path("runs") / std::filesystem::path(source).stem()).string();
}

base::Result<void> TerminalRun::setBranch(const std::string& parent, const std::string& at) {
  const auto usage = [](const std::string& text) { return base::Error{text, base::ErrorKind::kUsage}; };
  const auto colon = at.rfind(':');
  std::int64_t step = -1;
  if (colon != std::string::npos) {
    const auto* end = at.data() + at.size();
    const auto [last, status] = std::from_chars(at.data() + colon + 1, end, step);
    if (status != std::errc() || last != end) step = -1;
  }
  if (step < 0) return usage("--branch takes STAGE:STEP, such as mean_flow:100, not '" + at + "'");
  if (request.run_folder.empty()) return usage("--branch makes a new run: say where with --out FOLDER");
  request.branch = base::BranchPoint{parent, at.substr(0, colon), step};
  return {};
}

int runInTerminal(TerminalRun& options) {
  if (!options.device.empty()) options.request.overrides.push_back("device=" + options.device);
  if (options.seed) options.request.overrides.push_back("seed=" + std::to_string(*options.seed));

  std::unique_ptr<training::TrainingRun> run;
  std::mutex mutex;  // a signal may come before the run exists
  bool is_stop_asked = false;
  const SignalWatch signals([&](int) {
    const std::lock_guard lock(mutex);
    is_stop_asked = true;
    std::cerr << "\nsaving and stopping (once more ends at once)\n";
    if (run) run->send(base::StopAndSave{});
  });
  std::shared_ptr<base::EventSink> console;
  if (options.is_json)
    console = std::make_shared<JsonSink>();
  else
    console = std::make_shared<base::ProgressBar>();
  auto prepared = training::TrainingRun::prepare(options.request, {console});
  if (!prepared) return reportError(prepared.error());
  {
    const std::lock_guard lock(mutex);
    run = std::move(*prepared);
    if (is_stop_asked) run->send(base::StopAndSave{});
  }
  const auto ended = run->run();
  console.reset();
  if (!ended) return reportError(ended.error());
  switch (*ended) {
    case training::RunEnd::kFinished:
      return kDone;
    case training::RunEnd::kStopped:
      std::cerr << "stopped and saved; the same command, or `meanflow train " << options.request.run_folder
                << "`, goes on\n";
      return kPreempted;
    case training::RunEnd::kDiscarded:
      return kPreempted;
  }
  return kFailed;
}

}  // namespace meanflow::app
