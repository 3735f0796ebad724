// SPDX-License-Identifier: Apache-2.0
#include "training/run/training_run.h"

#include <torch/version.h>

#include <filesystem>
#include <fstream>

#include "core/base/config/config_io.h"
#include "core/base/events/event_log.h"
#include "core/base/run/atomic_file.h"
#include "core/base/run/environment.h"
#include "core/data/dataset.h"
#include "core/device/device.h"
#include "core/device/precision.h"
#include "training/loop/checkpoint_store.h"
#include "training/loop/step_loop.h"
#include "training/report/scoring.h"
#include "training/run/branch.h"
#include "training/run/record_sinks.h"
#include "training/run/run_context.h"
#include "training/run/stage_plan.h"
#include "training/run/supported_settings.h"
#include "training/sampling/live_painter.h"
#include "training/stages/external_weights.h"
#include "training/stages/workspace.h"
#include "training/workers/worker.h"

namespace meanflow::training {
namespace {

namespace fs = std::filesystem;

/// Where a run goes on: the first stage that is not done, and its step; the end of the last one where all are.
std::pair<std::string, std::int64_t> standing(const base::RunConfig& config, const base::RunFolder& folder) {
  std::pair<std::string, std::int64_t> last = {config.stages.empty() ? "" : config.stages.front(), 0};
  for (const auto& stage : config.stages) {
    if (std::string why; stage == "report" || isTakenAsIs(config, stage, why)) continue;
    const auto progress = CheckpointStore(folder, stage).newestProgress();
    last = {stage, progress ? progress->step : 0};
    // How long the control is follows from what mean_flow cost, not from the configuration.
    const bool is_done =
        progress && (stage == "control" ? progress->isFinished() : progress->step >= plannedSteps(config, stage));
    if (!is_done) break;
  }
  return last;
}

/// How this process was called.
std::vector<std::string> commandLine() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  std::vector<std::string> words;
  for (std::string word; std::getline(file, word, '\0');) words.push_back(word);
  return words;
}

base::Result<void> checkDevice(const base::RunConfig& config) {
  try {
    const auto device = core::resolveDevice(config.device);
    if (device.is_cuda() && config.num_workers > 1)
      return base::Error{
          "num_workers " + std::to_string(config.num_workers) + " on a GPU is not supported yet; set num_workers to 1",
          base::ErrorKind::kUsage};
    return checkSupported(config);
  } catch (const std::exception& error) {
    return base::Error{error.what(), base::ErrorKind::kUsage};
  }
}

}  // namespace

base::Result<std::unique_ptr<TrainingRun>> TrainingRun::prepare(const base::RunRequest& request,
                                                                std::vector<std::shared_ptr<base::EventSink>> sinks) {
  core::initialiseTorch();
  const fs::path path = request.run_folder;
  const auto open = [&](base::RunFolder folder, base::RunConfig config, bool is_resumed,
                        std::vector<base::ConfigDifference> changed) -> base::Result<std::unique_ptr<TrainingRun>> {
    try {
      std::unique_ptr<TrainingRun> run(
          new TrainingRun(std::move(folder), std::move(config), is_resumed, request.start_paused, std::move(sinks)));
      run->changed_ = std::move(changed);
      return run;
    } catch (const std::exception& error) {  // the record cannot be written
      return base::Error{error.what()};
    }
  };
  if (request.branch) {
    auto folder = createBranch(path, *request.branch, request.overrides);
    if (!folder) return folder.error();
    auto config = folder->readConfig();
    if (!config) return config.error();
    if (auto usable = checkDevice(*config); !usable) return usable.error();
    return open(std::move(*folder), std::move(*config), false, {});
  }
  const bool is_resumed = base::RunFolder::isRunFolder(path);
  if (is_resumed) {
    auto folder = base::RunFolder::open(path);
    if (!folder) return folder.error();
    if (auto locked = folder->lock(); !locked) return locked.error();
    auto config = folder->readConfig();
    if (!config) return config.error();
    const auto before = *config;
    for (const auto& assignment : request.overrides)
      if (auto set = base::applyOverride(*config, assignment); !set) return set.error();
    if (auto usable = checkDevice(*config); !usable) return usable.error();
    if (auto swept = folder->sweepTemporaries(); !swept) return swept.error();
    if (auto written = base::writeFileAtomically(folder->config(), base::toYaml(*config)); !written)
      return written.error();
    auto changed = base::difference(before, *config);
    return open(std::move(*folder), std::move(*config), true, std::move(changed));
  }
  if (request.config.empty())
    return base::Error{
        path.string() + " is not a run folder (it has no config.yaml); name a configuration to start a new run there",
        base::ErrorKind::kUsage};
  auto config = base::loadConfig(request.config, request.overrides);
  if (!config) return config.error();
  if (auto usable = checkDevice(*config); !usable) return usable.error();
  auto folder = base::RunFolder::create(path, *config);
  if (!folder) return folder.error();
  return open(std::move(*folder), std::move(*config), false, {});
}

TrainingRun::TrainingRun(base::RunFolder folder, base::RunConfig config, bool is_resumed, bool start_paused,
                         std::vector<std::shared_ptr<base::EventSink>> sinks)
    : folder_(std::move(folder)),
      config_(std::move(config)),
      is_resumed_(is_resumed),
      events_(openRecord(folder_, sinks)),
      sampling_([this](const std::string& message) {
        events_->post(base::LogMessage{"warn", "a live picture failed: " + message});
      }),
      context_(std::make_unique<RunContext>(folder_, *events_, commands_)) {
  if (start_paused) commands_.push(base::Pause{});
}

TrainingRun::~TrainingRun() = default;

base::RunState TrainingRun::state() const { return context_->state(); }

base::Result<RunEnd> TrainingRun::run() {
  auto fail = [&](const std::string& what, bool is_diverged) {
    sampling_.finish();
    context_->publish(base::RunFailed{context_->currentStage(), context_->currentStep(), what, is_diverged});
    context_->setState(base::RunState::kFailed);
    return base::Error{what, is_diverged ? base::ErrorKind::kDiverged : base::ErrorKind::kFailed};
  };
  try {
    context_->setState(base::RunState::kStarting);
    goThroughBranch();
    trainAndReport();
    sampling_.drain();
    context_->publish(base::RunFinished{"finished"});
    context_->setState(base::RunState::kFinished);
    return RunEnd::kFinished;
  } catch (const RunInterrupted& interrupted) {
    sampling_.finish();  // an ended run writes nothing more, and says nothing: it may be continued at once
    context_->publish(base::RunFinished{interrupted.is_saved ? "stopped" : "discarded"});
    context_->setState(base::RunState::kStopped);
    return interrupted.is_saved ? RunEnd::kStopped : RunEnd::kDiscarded;
  } catch (const Diverged& diverged) {
    return fail(diverged.what(), true);
  } catch (const c10::Error& error) {
    return fail(error.what_without_backtrace(), false);
  } catch (const std::exception& error) {
    return fail(error.what(), false);
  }
}

base::Result<void> TrainingRun::replay(const std::stop_token& stop) {
  auto branch = readBranch(folder_);
  if (!branch) return branch.error();
  if (!*branch) return base::Error{folder_.root().string() + " left no other run: there is nothing to replay"};
  const auto& point = (*branch)->point;
  auto config = (*branch)->parent_config;
  config.diagnostics = config_.diagnostics;
  for (const char* key : {"log_every", "sample_every"}) {
    const auto name = point.stage + ".training." + key;
    if (const auto value = base::getValue(config_, name))
      if (auto set = base::setValue(config, name, *value); !set) return set.error();
  }
  config_ = std::move(config);
  context_->fork = Fork{point.stage, point.step, /*is_replay=*/true};
  context_->run_name = fs::path(point.parent).filename().string();
  context_->stop = stop;
  const std::stop_callback discard(stop, [this] { send(base::Discard{}); });
  try {
    context_->setState(base::RunState::kStarting);
    trainAndReport();
    return base::Error{point.stage + " ended before step " + std::to_string(point.step + 1)};
  } catch (const ForkReached&) {
    return {};
  } catch (const RunInterrupted&) {
    return base::Error{"the replay was stopped"};
  } catch (const c10::Error& error) {
    return base::Error{error.what_without_backtrace()};
  } catch (const std::exception& error) {
    return base::Error{error.what()};
  }
}

void TrainingRun::announceChangedSettings() const {
  if (changed_.empty()) return;
  const auto [stage, step] = standing(config_, folder_);
  for (const auto& change : changed_)
    context_->publish(base::SettingChanged{stage, step, change.key, change.a, change.b});
}

void TrainingRun::goThroughBranch() {
  const auto read = readBranch(folder_);
  if (!read) throw std::runtime_error(read.error().message);
  const auto& branch = *read;
  if (!branch) return;
  if (!is_resumed_)
    context_->publish(
        base::RunBranched{branch->point.parent, branch->point.stage, branch->point.step, branch->changes});
  if (!isOnParentsWay(folder_, *branch)) return;
  // As the parent did, up to the step at which this run leaves it.
  const auto own = std::exchange(config_, branch->parent_config);
  config_.device = own.device, config_.num_workers = own.num_workers;
  context_->fork = Fork{branch->point.stage, branch->point.step};
  try {
    trainAndReport();
  } catch (const ForkReached&) {
  }
  config_ = own;
  context_->fork.reset();
  is_resumed_ = true;
}

void TrainingRun::trainAndReport() {
  const auto device = core::resolveDevice(config_.device);
  const int num_workers = resolveNumWorkers(config_.num_workers, device);
  const core::MatmulPrecision precision(config_.precision);

  context_->publish(base::Progress{"preparing data", 0, 1});
  auto loaded = core::loadDataset(config_.data, core::datasetCacheFolder(), context_->stop);
  context_->leaveIfStopped();
  if (!loaded) throw std::runtime_error(loaded.error().message);
  if (config_.data.num_classes > 0 && config_.data.num_classes != loaded->numClasses())
    throw std::runtime_error("data.num_classes is " + std::to_string(config_.data.num_classes) + " but the data has " +
                             std::to_string(loaded->numClasses()) + "; set it to 0");
  const auto data = std::make_shared<const core::ImageDataset>(std::move(*loaded));
  context_->publish(base::Progress{"preparing data", 1, 1});

  base::RunStarted started;
  started.run_name = context_->run_name;
  started.seed = static_cast<std::uint64_t>(config_.seed);
  started.device = device.str();
  started.num_workers = num_workers;
  started.is_resumed = is_resumed_;
  started.stages = config_.stages;
  for (const auto& stage : config_.stages) started.stage_steps.push_back(plannedSteps(config_, stage));
  started.class_names = data->class_names;
  context_->publish(started);
  announceChangedSettings();
  writeClassNames(folder_, data->class_names);
  base::Environment environment;
  environment.versions = {{"meanflow", STUDIO_VERSION}, {"libtorch", TORCH_VERSION}};
  environment.devices.assign(num_workers, device.str());
  environment.command_line = commandLine();
  if (auto written = base::writeEnvironment(folder_.environment(), environment); !written)
    throw std::runtime_error(written.error().message);

  context_->sampling = &sampling_;
  context_->painter = std::make_shared<LivePainter>(config_, folder_, data, *events_);
  context_->setState(base::RunState::kRunning);
  const auto board = std::make_shared<ScoringBoard>();
  runWorkers(num_workers, device, [&](Worker& worker) {
    Workspace workspace(config_, data, worker, *context_);
    for (const auto& stage : config_.stages) {
      if (worker.isLeader()) context_->setStage(stage);
      if (stage == "report") {
        // A finished run that is started again keeps its report: scoring is minutes, and its times would be counted
        // twice.
        if (!isScored(workspace.config(), folder_)) scoreRun(workspace, *board);
      } else if (std::string why; isTakenAsIs(workspace.config(), stage, why)) {
        if (worker.isLeader()) {
          context_->log("info", why);
          // Statistics that nobody named are measured with the encoder, as they are after training the decoder.
          if (stage == "decoder") makeStageTask(stage, workspace)->finish();
        }
      } else {
        const auto task = makeStageTask(stage, workspace);
        runStage(*task, workspace.config(), worker, *context_);
      }
      worker.barrier();
    }
  });
}

}  // namespace meanflow::training
