// SPDX-License-Identifier: Apache-2.0
#include "core/base/run/training_host.h"

#include <fmt/format.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>

#include "app/training_host/errands.h"
#include "core/base/config/config_io.h"
#include "core/base/run/run_state.h"
#include "core/cost/cost_report.h"
#include "core/device/device.h"
#include "training/diagnostics/replay.h"
#include "training/exchange/export_checkpoint.h"
#include "training/exchange/inspect_weights.h"
#include "training/run/data_browser.h"
#include "training/run/preflight.h"
#include "training/run/training_run.h"
#include "training/sampling/generator.h"
#include "training/sampling/sampling_worker.h"

namespace meanflow::app {
namespace {

/// The arithmetic of `meanflow cost` in device-hours.
base::CostEstimate costOf(const std::string& yaml, const std::string& device) {
  base::CostEstimate estimate;
  if (!device.starts_with("cuda")) {
    estimate.missing = "no throughput is known for a CPU; a pre-flight measures its steps";
    return estimate;
  }
  const auto config = base::parseConfig(yaml, "the run's configuration");
  if (!config) {
    estimate.missing = config.error().message;
    return estimate;
  }
  const auto report = core::costReport(*config);
  if (!report) {
    estimate.missing = report.error().message;
    return estimate;
  }
  for (const auto& stage : report->stages) estimate.stages.push_back({stage.stage, 24 * stage.gpu_days});
  estimate.basis = fmt::format("{:.3g} TFLOP/s, 40 % of an H100's dense peak at {}", report->flops_per_second / 1e12,
                               config->precision);
  return estimate;
}

base::ExportOutcome exportFailure(std::string why) {
  base::ExportOutcome outcome;
  outcome.error = std::move(why);
  return outcome;
}

/// One run at a time on a thread of its own, and one sampling worker for what a person asks for.
class Host final : public base::TrainingHost {
 public:
  Host() : sampling_([](const std::string&) {}), browsing_([](const std::string&) {}) { core::initialiseTorch(); }

  ~Host() override {
    send(base::StopAndSave{});
    joinRun();
  }

  base::Result<void> start(const base::RunRequest& request, std::shared_ptr<base::EventSink> sink) override {
    if (!base::isEnded(state())) return base::Error{"a run is still going; stop it before another is started"};
    if (is_flying_) return base::Error{"a pre-flight is going on; wait for its page or cancel it, then start"};
    if (is_replaying_) return base::Error{"a step is being replayed; wait for its report or cancel it, then start"};
    joinRun();
    auto prepared = training::TrainingRun::prepare(request, {std::move(sink)});
    if (!prepared) return prepared.error();
    {
      const std::lock_guard lock(mutex_);
      run_ = std::move(*prepared);
      is_going_ = true;
    }
    thread_ = std::jthread([this] {
      // What went wrong was published as RunFailed; the window shows that.
      [[maybe_unused]] const auto ended = run_->run();
      const std::lock_guard lock(mutex_);
      is_going_ = false;
    });
    return {};
  }

  void send(const base::Command& command) override {
    const std::lock_guard lock(mutex_);
    if (run_ && is_going_) run_->send(command);
  }

  base::RunState state() const override {
    const std::lock_guard lock(mutex_);
    if (!run_) return base::RunState::kIdle;
    const auto state = run_->state();
    // Between the start of the thread and its first event the run is already somebody's.
    return is_going_ && base::isEnded(state) ? base::RunState::kStarting : state;
  }

  void estimateCost(const std::string& config, const std::string& device,
                    std::function<void(const base::CostEstimate&)> deliver) override {
    errands_.submit([=] { deliver(costOf(config, device)); });
  }

  void inspectCheckpoint(const base::CheckpointQuestion& question,
                         std::function<void(const base::CheckpointFinding&)> deliver) override {
    errands_.submit([=] { deliver(training::inspectWeights(question)); });
  }

  void browseData(const base::DataQuestion& question, std::function<void(const base::DataAnswer&)> deliver) override {
    browsing_.submitRequest(
        [this, question, deliver = std::move(deliver)](const training::SamplingWorker::Cancelled& cancelled) {
          const auto answer = browser_.answer(question, [&] { return cancelled->load(); });
          if (!cancelled->load()) deliver(answer);
        });
  }

  base::Result<void> startPreflight(const base::PreflightRequest& request,
                                    std::function<void(const base::PreflightNews&)> deliver) override {
    if (!base::isEnded(state()))
      return base::Error{
          "a run is being trained in this window, and its steps would slow down those that are measured; "
          "stop it first"};
    if (is_flying_.exchange(true))
      return base::Error{"a pre-flight is going on already; wait for its page or cancel it"};
    preflight_ = std::jthread([this, request, deliver = std::move(deliver)](const std::stop_token& stop) {
      const auto report = std::make_shared<base::PreflightReport>();
      if (const auto config = base::parseConfig(request.config, "the settings")) {
        training::PreflightOptions options;
        options.run_folder = request.run_folder;
        options.stop = stop;
        options.progress = [&](const base::PreflightProgress& progress) { deliver({progress, nullptr}); };
        *report = training::runPreflight(*config, options);
      } else {
        report->findings.push_back({base::PreflightSeverity::kRefusal, "settings", config.error().message, {}});
      }
      is_flying_ = false;  // before the report is there: whoever has it may start
      deliver({{}, report});
    });
    return {};
  }
  base::Result<void> startReplay(const base::BranchPoint& at,
                                 std::function<void(const base::ReplayOutcome&)> deliver) override {
    if (!base::isEnded(state()))
      return base::Error{
          "a run is being trained in this window, and a replay beside it would slow it down; stop it first"};
    if (is_replaying_.exchange(true))
      return base::Error{"a step is being replayed already; wait for its report or cancel it"};
    replay_ = std::jthread([this, at, deliver = std::move(deliver)](const std::stop_token& stop) {
      base::ReplayOutcome outcome;
      if (auto found = training::replayStep(at, stop)) {
        outcome.found = std::move(*found);
      } else {
        outcome.error = found.error().message;
        outcome.is_cancelled = stop.stop_requested();
      }
      is_replaying_ = false;
      deliver(outcome);
    });
    return {};
  }

  void cancelPreflight() override { preflight_.request_stop(); }
  void cancelReplay() override { replay_.request_stop(); }

  void requestSamples(const base::SampleRequest& request,
                      std::function<void(const base::SampleResult&)> deliver) override {
    const auto asked = std::chrono::steady_clock::now();
    sampling_.submitRequest(
        [this, request, deliver = std::move(deliver), asked](const training::SamplingWorker::Cancelled& cancelled) {
          base::SampleResult result;
          result.id = request.id;
          const auto latency = [asked] {
            return 1e3 * std::chrono::duration<double>(std::chrono::steady_clock::now() - asked).count();
          };
          const auto fail = [&](const std::string& why) {
            result.error = why;
            result.is_last = true;
            result.image.reset();
            result.latency_ms = latency();
            deliver(result);
          };
          try {
            if (!generator_ || generator_folder_ != request.run_folder) {
              auto opened = training::Generator::open(request.run_folder, torch::kCPU);
              if (!opened) return fail(opened.error().message);
              generator_ = std::move(*opened);
              generator_folder_ = request.run_folder;
            }
            if (const auto checked = generator_->check(request); !checked) return fail(checked.error().message);
            generator_->make(
                request,
                [&](int index, const base::Image8& image) {
                  result.index = index;
                  result.is_last = index + 1 == static_cast<int>(request.labels.size());
                  result.image = std::make_shared<base::Image8>(image);
                  result.latency_ms = latency();
                  deliver(result);
                },
                [&] { return cancelled->load(); });
          } catch (const std::exception& error) {
            fail(error.what());
          }
        });
  }

  void exportCheckpoint(const base::ExportOrder& order, std::function<void(const base::ExportOutcome&)> done) override {
    if (is_exporting_.exchange(true))
      return done(exportFailure("another export is still being written; wait for its end"));
    export_thread_ = std::jthread([this, order, done = std::move(done)] {
      auto outcome = exported(order);
      is_exporting_ = false;
      done(outcome);
    });
  }

 private:
  static base::ExportOutcome exported(const base::ExportOrder& order) {
    const auto format = training::exportFormatFromName(order.format);
    const auto weights = training::exportedWeightsFromName(order.weights);
    if (!format || !weights)
      return exportFailure("'" + order.format + "' and '" + order.weights + "' are no format and weights to export");
    try {
      training::ExportRequest request;
      request.run = order.run_folder;
      request.out = order.out;
      request.format = *format;
      request.stage = order.stage;
      request.step = order.step;
      request.weights = *weights;
      request.force = order.replace;
      const auto report = training::exportCheckpoint(request);
      if (!report) return exportFailure(report.error().message);
      base::ExportOutcome outcome;
      outcome.files = report->files;
      outcome.description = report->description;
      outcome.num_tensors = report->num_tensors;
      outcome.num_bytes = static_cast<std::int64_t>(report->num_bytes);
      outcome.notes = report->notes;
      return outcome;
    } catch (const std::exception& error) {
      return exportFailure(error.what());
    }
  }

  void joinRun() {
    if (thread_.joinable()) thread_.join();
    const std::lock_guard lock(mutex_);
    run_.reset();
  }

  mutable std::mutex mutex_;
  std::unique_ptr<training::TrainingRun> run_;
  bool is_going_ = false;
  std::unique_ptr<training::Generator> generator_;  ///< Touched by the sampling worker alone.
  std::string generator_folder_;
  std::jthread thread_;
  std::atomic<bool> is_exporting_ = false;
  std::jthread export_thread_;
  training::DataBrowser browser_;      ///< Touched by its own worker alone.
  training::SamplingWorker sampling_;  ///< Behind what it uses: its thread ends first.
  training::SamplingWorker browsing_;  ///< Another thread than for samples: neither cancels the other's requests.
  Errands errands_;
  std::atomic<bool> is_flying_ = false;
  std::jthread preflight_;
  std::atomic<bool> is_replaying_ = false;
  std::jthread replay_;
};

}  // namespace
}  // namespace meanflow::app

extern "C" __attribute__((visibility("default"))) meanflow::base::TrainingHost* meanflow_create_training_host() {
  return new meanflow::app::Host();
}
