// SPDX-License-Identifier: Apache-2.0
#include "training/loop/step_loop.h"

#include <ATen/DeviceAccelerator.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

#include "core/base/config/config_io.h"
#include "core/base/config/live_settings.h"
#include "core/base/run/atomic_file.h"
#include "core/device/device.h"
#include "training/diagnostics/stage_health.h"
#include "training/diagnostics/stage_probes.h"
#include "training/loop/checkpoint_store.h"
#include "training/loop/gradient_reducer.h"
#include "training/loop/step_reporter.h"
#include "training/optim/gradients.h"
#include "training/optim/lr_schedule.h"
#include "training/sampling/live_watch.h"

namespace meanflow::training {
namespace {

std::vector<torch::Tensor> trainable(const NamedTensors& parameters) {
  std::vector<torch::Tensor> result;
  for (const auto& [name, tensor] : parameters)
    if (tensor.requires_grad()) result.push_back(tensor);
  return result;
}

std::int64_t numElements(const std::vector<torch::Tensor>& tensors) {
  return std::accumulate(tensors.begin(), tensors.end(), std::int64_t{0},
                         [](std::int64_t sum, const torch::Tensor& tensor) { return sum + tensor.numel(); });
}

/// Sends the leader's text to every rank.
std::string broadcastText(const Worker& worker, std::string text) {
  auto size = torch::tensor(static_cast<std::int64_t>(text.size()));
  worker.broadcast(size);
  auto bytes = torch::empty({size.item<std::int64_t>()}, torch::kUInt8);
  if (worker.isLeader()) std::copy(text.begin(), text.end(), bytes.data_ptr<std::uint8_t>());
  worker.broadcast(bytes);
  return {bytes.data_ptr<std::uint8_t>(), bytes.data_ptr<std::uint8_t>() + bytes.numel()};
}

/// Everything one rank keeps while a stage trains. Reads top-down: run() is the loop, the rest are its steps.
class StageLoop {
 public:
  StageLoop(StageTask& task, base::RunConfig& config, const Worker& worker, RunContext& run)
      : task_(task),
        config_(config),
        worker_(worker),
        run_(run),
        parameters_(namedParameters(*task.module())),
        trainable_(trainable(parameters_)),
        ema_(parameters_),
        optimizer_(parameters_, {settings().beta1, settings().beta2, settings().eps, settings().weight_decay}),
        store_(run.folder(), task.name()),
        health_(task, config, state(), store_, worker, run),
        probes_(task, config, worker),
        watch_(task, run, worker) {}

  void run() {
    restore();
    if (worker_.isLeader()) run_.setStep(progress_.step);
    if (progress_.isFinished()) return;
    StepReporter reporter(task_.name(), progress_.step, settings().steps, settings().batch_size, settings().log_every);
    announce();
    if (config_.diagnostics.on_divergence == "roll_back" && progress_.step == 0) save();  // somewhere to go back to
    clock_.start(progress_);  // preparations such as a bank of trajectories are part of the stage's cost
    task_.begin(progress_.step);
    // What was asked for while data and networks were prepared holds before the first step, a pause above all.
    for (auto control = agree(&RunContext::pollControl); control != Control::kContinue;
         control = agree(&RunContext::pollControl))
      obey(control, reporter);
    while (progress_.step < settings().steps && !run_.isFork(task_.name(), progress_.step)) {
      reporter.begin();
      const Control control = step(reporter);
      if (reporter.isDue(progress_.step) && reporter.hasSteps() && worker_.isLeader()) {
        auto report = reporter.report(progress_.step, schedule_lr_);
        if (health_.numSkipped() > 0)
          report.scalars.push_back({"skipped_steps", static_cast<double>(health_.numSkipped())});
        run_.publish(std::move(report));
      }
      if (progress_.step % settings().checkpoint_every == 0 && progress_.step < settings().steps &&
          !run_.isFork(task_.name(), progress_.step))
        save();
      publishProbes();
      watch_.afterStep(progress_.step, reporter.activeSeconds(), ema_);
      obey(control, reporter);
    }
    save();
    worker_.barrier();
    if (run_.isFork(task_.name(), progress_.step)) throw ForkReached{};
  }

  DryRun dryRun(const DryRunOptions& options) {
    using Clock = std::chrono::steady_clock;
    const auto since = [](Clock::time_point began) {
      return std::chrono::duration<double>(Clock::now() - began).count();
    };
    shareStart();
    DryRun result;
    auto began = Clock::now();
    task_.begin(0);
    result.begin_seconds = since(began);
    StepReporter reporter(task_.name(), 0, settings().steps, settings().batch_size, settings().log_every);
    int num_steps = options.num_steps;
    for (int k = 0; k < num_steps; ++k) {
      if (options.prepare) options.prepare(k, config_);
      began = Clock::now();
      const double cpu_began = core::threadCpuSeconds();
      reporter.begin();
      const auto control = step(reporter);
      if (worker_.device().is_cuda()) at::accelerator::synchronizeDevice(worker_.device().index());
      result.step_seconds.push_back(since(began));
      result.step_cpu_seconds.push_back(core::threadCpuSeconds() - cpu_began);
      if (control == Control::kDiscard || control == Control::kStopAndSave) throw RunInterrupted{false};
      if (worker_.isLeader() && options.done) options.done(k);
      if (k > 0) continue;
      auto is_slow = torch::tensor(static_cast<std::int64_t>(result.step_seconds.front() > options.slow_seconds));
      worker_.broadcast(is_slow);  // the ranks' clocks may differ
      if (is_slow.item<std::int64_t>() != 0) num_steps = std::min(num_steps, 2);
    }
    result.num_parameters = numElements(trainable_);
    result.checkpoint_bytes = CheckpointStore::tensorBytes(state());
    return result;
  }

  double wallSeconds() const { return progress_.wall_seconds; }
  double cpuSeconds() const { return progress_.cpu_seconds; }
  const StageProgress& progress() const { return progress_; }

 private:
  const base::TrainingConfig& settings() const { return task_.settings(); }
  TrainingState state() { return {*task_.module(), ema_, optimizer_}; }

  void restore() {
    std::vector<std::string> warnings;
    const auto found = store_.restoreNewest(state(), warnings);
    if (worker_.isLeader())
      for (const auto& text : warnings) run_.log("warn", text);
    if (found) progress_ = *found;
    progress_.total_steps = settings().steps;
    if (!progress_.has_optimizer && !progress_.isFinished() && worker_.isLeader())
      run_.log("warn", task_.name() + ": the imported checkpoint has no optimiser state; its moments start at zero");
    shareStart();
  }

  /// Every rank starts from the leader's weights, whatever its own start was: averaged gradients of different networks
  /// teach nothing.
  void shareStart() {
    if (worker_.size() == 1) return;
    const torch::NoGradGuard no_grad;
    for (auto& [name, tensor] : parameters_) worker_.broadcast(tensor);
    if (progress_.step > 0) return;  // averages and moments came from the same checkpoint
    for (const auto& [name, average] : ema_.averages()) {
      auto shared = average;
      worker_.broadcast(shared);
    }
  }

  void announce() {
    if (!worker_.isLeader()) return;
    run_.publish(base::StageStarted{task_.name(), progress_.step, settings().steps, numElements(trainable_)});
  }

  /// Tells the reporter what a step's time goes into. On a GPU the host's clock would only show where it happened to
  /// wait, so nothing is told there (null).
  class Laps {
   public:
    explicit Laps(StepReporter* reporter) : reporter_(reporter) {}
    void end(std::string_view part) {
      if (!reporter_) return;
      const auto now = std::chrono::steady_clock::now();
      reporter_->addTime(part, std::chrono::duration<double>(now - last_).count());
      last_ = now;
    }

   private:
    StepReporter* reporter_;
    std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
  };

  /// One optimizer step; returns what the leader wants done after it.
  Control step(StepReporter& reporter) {
    const std::int64_t k = progress_.step;
    const double lr = lrSchedule(settings()).at(k);
    const auto positions = worker_.positions(settings().batch_size);
    // Each rank weights its mean by its share of the global batch: the sum over ranks is the global mean.
    const double weight = static_cast<double>(positions.size()) / static_cast<double>(settings().batch_size);

    if (health_.passesOver(k + 1)) return passOver(k + 1);
    Laps laps(worker_.device().is_cpu() ? &reporter : nullptr);
    health_.beginStep(k + 1);
    resetGradients();
    std::vector<double> scalars = backward(k, positions, weight, laps);
    scalars.push_back(static_cast<double>(worker_.isLeader() ? run_.pollControl() : Control::kContinue));
    if (!reducer_) reducer_ = std::make_unique<GradientReducer>(trainable_, static_cast<std::int64_t>(scalars.size()));
    reducer_->reduce(worker_, scalars);
    laps.end("reduce");
    const auto control = static_cast<Control>(std::lround(scalars.back()));
    scalars.pop_back();

    // The averaged gradient is the same on every rank, so every rank takes the same decision.
    const auto norms = gradientNorms(parameters_);
    const double grad_norm = norms.global.item<double>();
    const auto verdict = health_.judge(
        {.step = k + 1, .lr = lr, .objective = scalars.front(), .loss = scalars[seenLoss()], .grad_norm = grad_norm},
        norms.each);
    if (verdict == StepVerdict::kRollBack) {
      rollBack();
      return control;
    }
    if (verdict == StepVerdict::kUpdate) {
      health_.beforeUpdate();
      scaleGradients(parameters_, norms.global, settings().clip_grad);
      optimizer_.step(lr);
      ema_.update(settings().ema_decay);
      health_.afterUpdate();
      reporter.add(scalar_names_, scalars, grad_norm, settings().clip_grad > 0 && grad_norm > settings().clip_grad);
      laps.end("optimizer");
    }
    countStep();
    schedule_lr_ = lr;
    return control;
  }

  void publishProbes() {
    for (auto& event : probes_.due(progress_.step)) {
      if (const auto* health = std::get_if<base::DerivativeHealthReady>(&event)) health_.noteDerivative(*health);
      run_.publish(std::move(event));
    }
  }

  /// A step counts whether its update was made or not: data order, rates and noise go on.
  void countStep() {
    ++progress_.step;
    if (worker_.isLeader()) run_.setStep(progress_.step);
    progress_.images_seen += settings().batch_size;
  }

  Control passOver(std::int64_t step) {
    if (worker_.isLeader())
      run_.log("warn", task_.name() + ": step " + std::to_string(step) + " is passed over, its update is not made");
    const auto control = agree(&RunContext::pollControl);
    countStep();
    return control;
  }

  /// Back to the last healthy checkpoint, which the bad steps will not follow again: they are passed over from now on,
  /// also after a restart.
  void rollBack() {
    auto step = torch::tensor(worker_.isLeader() ? store_.healthyStep().value_or(-1) : std::int64_t{0});
    worker_.broadcast(step);
    const auto found = store_.restoreAt(step.item<std::int64_t>(), state());
    if (!found) throw std::runtime_error("roll back: " + found.error().message);
    worker_.barrier();
    if (worker_.isLeader()) store_.dropAfter(found->step);
    progress_.step = found->step;
    progress_.images_seen = found->images_seen;
    health_.rolledBack();
    const auto key = task_.name() + ".training.skip_steps";
    if (const auto old_value = base::getValue(config_, key)) {
      std::string list;
      for (const auto bad : health_.passedOver(settings().skip_steps))
        list += (list.empty() ? "" : ", ") + std::to_string(bad);
      if (base::setValue(config_, key, "[" + list + "]") && worker_.isLeader()) {
        writeConfig();
        run_.publish(base::SettingChanged{task_.name(), progress_.step, key, *old_value, "[" + list + "]"});
      }
    }
    announce();
    task_.begin(progress_.step);
  }

  std::size_t seenLoss() const {
    const auto at = std::find(scalar_names_.begin(), scalar_names_.end(), "loss");
    return at == scalar_names_.end() ? 0 : static_cast<std::size_t>(at - scalar_names_.begin());
  }

  void resetGradients() {
    for (auto& p : trainable_) p.mutable_grad().reset();
  }

  /// Forward and backward of this rank's share; weighted scalars, the loss first.
  std::vector<double> backward(std::int64_t k, const std::vector<std::int64_t>& positions, double weight, Laps& laps) {
    if (positions.empty()) {
      if (scalar_names_.empty())
        throw std::runtime_error(task_.name() + ": batch_size " + std::to_string(settings().batch_size) +
                                 " is smaller than the number of workers " + std::to_string(worker_.size()) +
                                 "; raise " + task_.name() + ".training.batch_size or lower num_workers");
      return std::vector<double>(scalar_names_.size(), 0.0);
    }
    const core::LossTerms terms = task_.loss(k, positions);
    health_.observe(terms);
    laps.end("forward");
    (terms.loss * weight).backward();
    if (scalar_names_.empty()) nameScalars(terms);
    std::vector<double> scalars = {terms.loss.item<double>() * weight};
    for (const auto& [name, value] : terms.scalars) scalars.push_back(value.item<double>() * weight);
    laps.end("backward");
    return scalars;
  }

  /// What is differentiated may be weighted beyond recognition (MeanFlow's adaptive weight holds it near 1): where an
  /// objective gives its mean squared error, that is the `loss` people see, and the other is the `objective`.
  void nameScalars(const core::LossTerms& terms) {
    const bool has_mse = std::any_of(terms.scalars.begin(), terms.scalars.end(),
                                     [](const auto& scalar) { return scalar.first == "mse"; });
    scalar_names_.push_back(has_mse ? "objective" : "loss");
    for (const auto& [name, value] : terms.scalars) scalar_names_.push_back(name == "mse" ? "loss" : name);
  }

  void save() {
    clock_.update(progress_);
    if (!worker_.isLeader()) return;
    const auto saved = store_.save(state(), progress_, settings().keep_checkpoints);
    if (!saved && saved.error().kind == base::ErrorKind::kDiverged) throw Diverged(saved.error().message);
    if (!saved) throw std::runtime_error(saved.error().message);
    run_.publish(
        base::CheckpointSaved{task_.name(), progress_.step, saved->relative_path, saved->bytes, saved->seconds});
  }

  /// The leader's decision, made by `decide`, on every rank.
  Control agree(Control (RunContext::*decide)()) {
    auto code = torch::tensor(static_cast<std::int64_t>(worker_.isLeader() ? (run_.*decide)() : Control::kContinue));
    worker_.broadcast(code);
    return static_cast<Control>(code.item<std::int64_t>());
  }

  void obey(Control control, StepReporter& reporter) {
    if (control == Control::kPause) control = pause(reporter);
    switch (control) {
      case Control::kSaveNow:
        return save();
      case Control::kChangeSetting:
        return changeSetting(reporter);
      case Control::kStopAndSave:
        if (worker_.isLeader()) run_.setState(base::RunState::kStopping);
        save();
        worker_.barrier();
        throw RunInterrupted{true};
      case Control::kDiscard:
        if (worker_.isLeader()) run_.setState(base::RunState::kStopping);
        worker_.barrier();
        throw RunInterrupted{false};
      default:
        return;
    }
  }

  /// Holds at the step boundary with everything resident. The leader's decisions reach the other ranks by broadcasts,
  /// which also keep their collectives from timing out.
  Control pause(StepReporter& reporter) {
    clock_.stop(progress_);
    if (worker_.isLeader()) run_.setState(base::RunState::kPaused);
    for (;;) {
      const auto control = agree(&RunContext::waitControl);
      if (control == Control::kSaveNow) {
        save();
      } else if (control == Control::kChangeSetting) {
        changeSetting(reporter);
      } else if (control != Control::kPause) {  // kContinue: go on; or one of the two ways to stop
        clock_.start(progress_);
        if (worker_.isLeader() && control == Control::kContinue) run_.setState(base::RunState::kRunning);
        return control;
      }
    }
  }

  void changeSetting(StepReporter& reporter) {
    applySetting();
    reporter.setTotalSteps(settings().steps);
    reporter.setLogEvery(settings().log_every);
    progress_.total_steps = settings().steps;
  }

  void applySetting() {
    base::ChangeSetting change = worker_.isLeader() ? run_.takeSetting() : base::ChangeSetting{};
    change.key = broadcastText(worker_, change.key);
    change.value = broadcastText(worker_, change.value);
    const auto old_value = base::getValue(config_, change.key);
    const bool is_live = base::isLiveSetting(change.key);
    const auto applied =
        !old_value ? base::Result<void>(old_value.error())
        : is_live  ? base::setValue(config_, change.key, change.value)
                   : base::Result<void>(base::Error{change.key +
                                                   " cannot change while the run is going; stop it and start it with " +
                                                   change.key + "=" + change.value});
    if (!worker_.isLeader()) return;
    if (!applied) return run_.log("error", applied.error().message);
    writeConfig();
    run_.publish(base::SettingChanged{task_.name(), progress_.step, change.key, *old_value, change.value});
  }

  void writeConfig() {
    if (const auto written = base::writeFileAtomically(run_.folder().config(), base::toYaml(config_)); !written)
      run_.log("error", written.error().message);
  }

  /// Adds wall and CPU time spent training to the stage's totals.
  class StageClock {
   public:
    void start(const StageProgress& progress) {
      is_running_ = true;
      wall_before_ = progress.wall_seconds;
      cpu_before_ = progress.cpu_seconds;
      wall_start_ = std::chrono::steady_clock::now();
      cpu_start_ = core::processCpuSeconds();
    }
    void stop(StageProgress& progress) {
      update(progress);
      is_running_ = false;
    }
    void update(StageProgress& progress) const {
      if (!is_running_) return;
      progress.wall_seconds =
          wall_before_ + std::chrono::duration<double>(std::chrono::steady_clock::now() - wall_start_).count();
      progress.cpu_seconds = cpu_before_ + core::processCpuSeconds() - cpu_start_;
    }

   private:
    bool is_running_ = false;
    double wall_before_ = 0, cpu_before_ = 0, cpu_start_ = 0;
    std::chrono::steady_clock::time_point wall_start_;
  };

  StageTask& task_;
  base::RunConfig& config_;
  const Worker& worker_;
  RunContext& run_;
  NamedTensors parameters_;
  std::vector<torch::Tensor> trainable_;
  Ema ema_;
  AdamW optimizer_;
  CheckpointStore store_;
  StageHealth health_;
  StageProbes probes_;
  LiveWatch watch_;
  std::unique_ptr<GradientReducer> reducer_;
  std::vector<std::string> scalar_names_;
  StageProgress progress_;
  StageClock clock_;
  double schedule_lr_ = 0;
};

}  // namespace

void runStage(StageTask& task, base::RunConfig& config, const Worker& worker, RunContext& run) {
  StageLoop loop(task, config, worker, run);
  loop.run();
  if (!worker.isLeader()) return;
  task.finish();
  run.publish(base::StageFinished{task.name(), loop.progress().step, loop.wallSeconds(), loop.cpuSeconds()});
}

DryRun dryRunStage(StageTask& task, base::RunConfig& config, const Worker& worker, RunContext& run,
                   const DryRunOptions& options) {
  return StageLoop(task, config, worker, run).dryRun(options);
}

}  // namespace meanflow::training
