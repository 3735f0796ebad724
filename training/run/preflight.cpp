// SPDX-License-Identifier: Apache-2.0
#include "training/run/preflight.h"

#include <ATen/DeviceAccelerator.h>
#include <malloc.h>
#include <spdlog/fmt/fmt.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>

#include "core/device/device.h"
#include "training/loop/checkpoint_store.h"
#include "training/loop/step_loop.h"
#include "training/run/preflight_checks.h"
#include "training/run/rehearsal.h"
#include "training/run/run_context.h"
#include "training/run/supported_settings.h"
#include "training/stages/external_weights.h"
#include "training/stages/workspace.h"

namespace meanflow::training {
namespace {

namespace fs = std::filesystem;
using base::PreflightOutcome;
using base::PreflightSeverity;
using Clock = std::chrono::steady_clock;

constexpr std::int64_t kDryTrajectories = 64;  // a worker
constexpr double kSlowStepSeconds = 20;        // beyond it one timed step has to do
constexpr double kMemoryShare = 0.9;           // of the machine's

double since(Clock::time_point began) { return std::chrono::duration<double>(Clock::now() - began).count(); }

/// A line "NAME: N kB" of /proc/self/status in bytes; 0 without it.
std::int64_t statusBytes(const std::string& name) {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with(name + ":")) return 1024 * std::atoll(line.c_str() + name.size() + 1);
  return 0;
}

/// Peak memory between start() and peak(): of the GPU's allocator, or what became resident over `baseline`.
class MemoryWatch {
 public:
  explicit MemoryWatch(torch::Device device) : device_(device) {
    malloc_trim(0);  // memory that is free already would hide what is taken again
    baseline_ = statusBytes("VmRSS");
  }
  void start() const {
    if (device_.is_cuda()) return at::accelerator::resetPeakStats(index());
    malloc_trim(0);                                 // what the stage before has freed is not this one's
    std::ofstream("/proc/self/clear_refs") << "5";  // the high-water mark begins anew
  }
  std::int64_t peak() const {
    if (device_.is_cuda())
      return at::accelerator::getDeviceStats(index())
          .allocated_bytes[static_cast<std::size_t>(c10::CachingAllocator::StatType::AGGREGATE)]
          .peak;
    return std::max<std::int64_t>(0, statusBytes("VmHWM") - baseline_);
  }
  std::int64_t total() const {
    if (device_.is_cuda()) return static_cast<std::int64_t>(at::accelerator::getMemoryInfo(index()).second);
    return static_cast<std::int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
  }

 private:
  c10::DeviceIndex index() const { return device_.has_index() ? device_.index() : c10::DeviceIndex{0}; }
  torch::Device device_;
  std::int64_t baseline_ = 0;
};

class Preflight {
 public:
  Preflight(const base::RunConfig& config, const PreflightOptions& options) : config_(config), options_(options) {}

  base::PreflightReport run() {
    const auto began = Clock::now();
    if (!options_.run_folder.empty() && base::RunFolder::isRunFolder(options_.run_folder))
      if (auto folder = base::RunFolder::open(options_.run_folder)) existing_.emplace(std::move(*folder));
    prepareStages();
    if (checkBefore()) fly();
    for (auto& stage : report_.stages)
      if (stage.outcome == PreflightOutcome::kNotMeasured && stage.note.empty())
        stage.note = report_.is_cancelled ? "the pre-flight was cancelled before it"
                                          : "not measured: what is refused has to be changed first";
    checkDisk(options_.run_folder, report_);
    checkMemory();
    report_.wall_seconds = since(began);
    return std::move(report_);
  }

 private:
  void refuse(const std::string& topic, const std::string& sentence, const std::string& key = {}) {
    report_.findings.push_back({PreflightSeverity::kRefusal, topic, sentence, key});
  }
  void say(const std::string& what, int done, int total) const {
    if (options_.progress) options_.progress({what, done, total});
  }

  void prepareStages() {
    for (const auto& name : config_.stages) {
      base::PreflightStage stage;
      stage.stage = name;
      const auto* training = trainingOf(config_, name);
      std::string why;
      if (name == "report") {
        stage.note = "scoring is not measured";
      } else if (name == "control") {
        stage.note = "takes what mean_flow takes";
      } else if (isTakenAsIs(config_, name, why)) {
        stage.outcome = PreflightOutcome::kTaken;
        // The page says which stage it is.
        const auto prefix = fmt::format("stage {} is ", name);
        stage.note = why.starts_with(prefix) ? why.substr(prefix.size()) : why;
      } else if (training->steps == 0) {
        stage.outcome = PreflightOutcome::kTaken;
        stage.note = name + ".training.steps is 0: its networks stay as they start";
      }
      if (training && stage.outcome == PreflightOutcome::kNotMeasured && stage.note.empty()) {
        const auto progress =
            existing_ ? CheckpointStore(*existing_, name).newestProgress() : std::optional<StageProgress>();
        const auto done = progress ? progress->step : 0;
        if (done >= training->steps) {
          stage.outcome = PreflightOutcome::kTaken;
          stage.note = "done already in the run's folder";
          report_.stages.push_back(std::move(stage));
          continue;
        }
        stage.steps = training->steps - done;
        const auto made = (training->steps + training->checkpoint_every - 1) / training->checkpoint_every;
        stage.checkpoints_kept = training->keep_checkpoints > 0 ? std::min(made, training->keep_checkpoints) : made;
      }
      report_.stages.push_back(std::move(stage));
    }
  }

  /// What can be told without a step; false when there is no point in trying one.
  bool checkBefore() {
    try {
      device_ = core::resolveDevice(config_.device);
    } catch (const std::exception& error) {
      refuse("settings", error.what(), "device");
      return false;
    }
    report_.device = device_.str();
    report_.num_workers = resolveNumWorkers(config_.num_workers, device_);
    if (device_.is_cuda() && config_.num_workers > 1)
      refuse("settings",
             fmt::format("num_workers {} on a GPU is not supported yet; set num_workers to 1", config_.num_workers),
             "num_workers");
    if (const auto supported = checkSupported(config_); !supported)
      refuse("settings", supported.error().message,
             supported.error().message.substr(0, supported.error().message.find(' ')));
    checkOrder(config_, existing_ ? &*existing_ : nullptr, report_);
    checkStatistics(config_, report_);
    say("data", 0, 1);
    auto loaded = core::loadDataset(config_.data, core::datasetCacheFolder(), options_.stop);
    if (stopped()) return false;
    if (!loaded) {
      refuse("data", loaded.error().message, "data.path");
      return false;
    }
    say("data", 1, 1);
    const auto num_classes = loaded->numClasses();
    num_images_ = loaded->train_labels.size(0);
    checkClasses(config_, num_classes, report_);
    checkBatches(config_, num_images_, report_.num_workers, report_);
    checkWeights(config_, num_classes, report_);
    data_ = std::make_shared<const core::ImageDataset>(partOfData(*loaded, numRehearsalImages(config_)));
    return !report_.isRefused() && !stopped();
  }

  bool stopped() {
    report_.is_cancelled = report_.is_cancelled || options_.stop.stop_requested();
    return report_.is_cancelled;
  }

  /// The configuration of the dry steps: a smaller bank of trajectories.
  base::RunConfig dryConfig() const {
    auto config = config_;
    config.cmt.bank_size = std::min(config.cmt.bank_size, kDryTrajectories * report_.num_workers);
    if (!existing_) return config;
    // What the run's folder holds is named, so that the temporary folder need not.
    const auto take = [this](const std::string& stage, std::string& weights) {
      const auto checkpoints = existing_->listCheckpoints(stage);
      if (weights.empty() && !checkpoints.empty()) weights = checkpoints.back().path.string();
    };
    take("encoder", config.encoder.weights);
    take("decoder", config.decoder.weights);
    take("teacher", config.teacher.weights);
    take("cmt", config.cmt.weights);
    const auto statistics = existing_->stage("decoder") / "latent_statistics.safetensors";
    if (config.decoder.statistics.empty() && fs::exists(statistics)) config.decoder.statistics = statistics.string();
    return config;
  }

  void fly() {
    try {
      const TemporaryRun temporary(dryConfig());
      const MemoryWatch memory(device_);
      report_.memory_total_bytes = memory.total();
      for (auto& stage : report_.stages) {
        if (stage.outcome != PreflightOutcome::kNotMeasured || !stage.note.empty()) continue;
        if (stopped()) break;
        memory.start();
        measure(stage, temporary.folder());
        if (stage.outcome == PreflightOutcome::kMeasured) stage.peak_memory_bytes = memory.peak();
      }
    } catch (const std::exception& error) {
      refuse("settings", error.what());
    }
  }

  void measure(base::PreflightStage& stage, const base::RunFolder& folder) {
    const auto fail = [&](const std::string& why) {
      stage.outcome = PreflightOutcome::kRefused;
      stage.note = why;
      refuse(stage.stage, why);
    };
    try {
      dry_ = {};
      latents_seconds_ = 0;
      rehearse(stage, folder);
      settle(stage);
    } catch (const RunInterrupted&) {
      report_.is_cancelled = true;
    } catch (const Diverged& diverged) {
      // The networks before it have learned nothing yet: that says little about the run.
      stage.note = fmt::format("could not be measured with untrained networks before it: {}", diverged.what());
    } catch (const c10::Error& error) {
      fail(fmt::format("stage {}: {}", stage.stage, error.what_without_backtrace()));
    } catch (const std::exception& error) {
      fail(error.what());
    }
  }

  void rehearse(const base::PreflightStage& stage, const base::RunFolder& folder) {
    base::FanOutSink events;
    say(stage.stage, 0, options_.num_steps + 1);
    auto rehearsed =
        rehearseStage(stage.stage, {dryConfig(), data_, device_, report_.num_workers, folder, events, options_.stop},
                      {.num_steps = options_.num_steps + 1, .slow_seconds = kSlowStepSeconds, .done = [&](int k) {
                         say(stage.stage, k + 1, options_.num_steps + 1);
                       }});
    dry_ = std::move(rehearsed.steps);
    dry_.step_seconds.erase(dry_.step_seconds.begin());  // memory is found, kernels are chosen
    latents_seconds_ = rehearsed.latents_seconds;
  }

  /// From what was measured on a part to the whole run.
  void settle(base::PreflightStage& stage) {
    stage.outcome = PreflightOutcome::kMeasured;
    stage.measured_steps = static_cast<std::int64_t>(dry_.step_seconds.size());
    stage.seconds_per_step = medianOf(dry_.step_seconds);
    stage.num_parameters = dry_.num_parameters;
    stage.checkpoint_bytes = dry_.checkpoint_bytes;
    const double images = static_cast<double>(num_images_) / static_cast<double>(data_->train_labels.size(0));
    double scale = 1;
    if (stage.stage == "decoder") scale = images;
    if (stage.stage == "cmt" && config_.cmt.trajectories == "bank") {
      const double banks = config_.cmt.bank_refresh_every > 0
                               ? std::max(1.0, std::ceil(static_cast<double>(stage.steps) /
                                                         static_cast<double>(config_.cmt.bank_refresh_every)))
                               : 1.0;
      scale = banks * static_cast<double>(config_.cmt.bank_size) / static_cast<double>(dryConfig().cmt.bank_size);
    }
    stage.preparation_seconds = scale * dry_.begin_seconds;
    // Latents are encoded once a run, by the first stage that needs them.
    if (!std::exchange(has_latents_, has_latents_ || latents_seconds_ > 0))
      stage.preparation_seconds += images * latents_seconds_;
  }

  void checkMemory() {
    const auto peak = report_.peakMemoryBytes();
    if (peak == 0 || report_.memory_total_bytes == 0) return;
    const bool is_tight = static_cast<double>(peak) > kMemoryShare * static_cast<double>(report_.memory_total_bytes);
    report_.findings.push_back(
        {is_tight ? PreflightSeverity::kNote : PreflightSeverity::kGood,
         "memory",
         fmt::format("training takes up to {} of {} {}{}", base::byteText(peak),
                     base::byteText(report_.memory_total_bytes), device_.is_cuda() ? "of the GPU" : "in this machine",
                     is_tight ? "; smaller batches or networks leave room for everything else" : ""),
         {}});
  }

  const base::RunConfig& config_;
  const PreflightOptions& options_;
  std::optional<base::RunFolder> existing_;  ///< The run's own, where it is to be continued.
  base::PreflightReport report_;
  torch::Device device_ = torch::kCPU;
  std::shared_ptr<const core::ImageDataset> data_;  ///< A part.
  std::int64_t num_images_ = 0;                     ///< Of the whole.
  DryRun dry_;
  double latents_seconds_ = 0;
  bool has_latents_ = false;
};

}  // namespace

base::PreflightReport runPreflight(const base::RunConfig& config, const PreflightOptions& options) {
  core::initialiseTorch();
  try {
    return Preflight(config, options).run();
  } catch (const std::exception& error) {
    base::PreflightReport report;
    report.findings.push_back({PreflightSeverity::kRefusal, "settings", error.what(), {}});
    return report;
  }
}

}  // namespace meanflow::training
