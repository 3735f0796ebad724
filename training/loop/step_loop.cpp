// SPDX-License-Identifier: Apache-2.0
#include "training/loop/step_loop.h"

#include <ATen/DeviceAccelerator.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>
#include <optional>
#include <utility>

#include "core/base/config/config_io.h"
#include "core/device/device.h"
#include "training/diagnostics/stage_health.h"
#include "training/diagnostics/stage_probes.h"
#include "training/loop/checkpoint_store.h"
#include "training/loop/gradient_reducer.h"
#include "training/loop/live_setting.h"
#include "training/loop/readback.h"
#include "training/loop/stage_clock.h"
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
      if (!pending_) reporter.begin();
      const auto before = progress_.step;
      const Control control = step(reporter);
      if (control != Control::kContinue) settle(reporter);  // the leader asks for no more until this is done
      if (progress_.step == before) {                       // judged later, or rolled back to where it began
        obey(control, reporter);
        continue;
      }
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
      auto control = step(reporter);
      control = std::max(control, settle(reporter));
      has_order_ = false;
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

  Laps newLaps(StepReporter& reporter) const { return Laps(worker_.device().is_cpu() ? &reporter : nullptr); }

  /// A step whose gradients are there and whose figures the host has not read yet.
  struct Pending {
    std::int64_t step = 0;  ///< 1 = the first.
    double lr = 0;
    GradientNorms norms;
    Readback figures;  ///< The objective's scalars, the leader's order, the global gradient norm, whether it is bad.
    bool is_update_made = false;
  };

  /// One optimizer step; returns what the leader wants done after it. Where verdicts are deferred the step may be left
  /// pending: its update is made, on the device and only if the step is healthy, but nobody has waited for that.
  Control step(StepReporter& reporter) {
    auto control = Control::kContinue;
    const std::int64_t k = progress_.step + (pending_ ? 1 : 0);
    const auto settleLast = [&] {
      control = std::max(control, settle(reporter));
      return progress_.step == k;  // else the stage was rolled back
    };
    const bool is_read_now = !isDeferred() || isReadNow(k + 1, reporter);
    if (pending_ && (is_read_now || health_.passesOver(k + 1)) && !settleLast()) return control;
    if (health_.passesOver(k + 1)) return std::max(control, passOver(k + 1));

    const auto positions = worker_.positions(settings().batch_size);
    Laps laps = newLaps(reporter);
    if (!pending_) health_.beginStep(k + 1);
    resetGradients();
    auto terms = forward(k, positions);
    if (pending_) {  // the device is busy with this forward pass meanwhile
      const bool was_bad = pending_->figures.wait().back() != 0;
      if (was_bad) terms.reset();  // the second look wants its memory
      if (!settleLast()) return control;
      health_.beginStep(k + 1);
      if (was_bad) terms = forward(k, positions);
    }
    if (terms) health_.observe(*terms);
    laps.end("forward");
    torch::Tensor scalars = backward(std::move(terms), positions);
    laps.end("backward");
    if (!reducer_) reducer_ = std::make_unique<GradientReducer>(trainable_, scalars.numel());
    reducer_->reduce(worker_, scalars);
    laps.end("reduce");

    // The averaged gradient is the same on every rank, so every rank takes the same decision.
    auto norms = gradientNorms(parameters_);
    const auto grad_norm = norms.global.to(torch::kFloat64);
    const auto is_bad = health_.isBad(scalars[0], scalars[static_cast<std::int64_t>(seenLoss())], grad_norm);
    Readback figures(torch::cat({scalars, torch::stack({grad_norm, is_bad.to(torch::kFloat64)})}));
    pending_.emplace(Pending{k + 1, lrSchedule(settings()).at(k), std::move(norms), std::move(figures)});
    if (!is_read_now) update(is_bad);
    laps.end("optimizer");
    return is_read_now ? std::max(control, settle(reporter)) : control;
  }

  bool isDeferred() const {
    const auto& verdict = config_.diagnostics.verdict;
    return verdict == "deferred" || (verdict == "auto" && !worker_.device().is_cpu());
  }

  /// Steps at which the host looks at the device anyway.
  bool isReadNow(std::int64_t step, const StepReporter& reporter) const {
    const auto is_due = [step](std::int64_t every) { return every > 0 && step % every == 0; };
    return reporter.isDue(step) || step >= settings().steps || is_due(settings().checkpoint_every) ||
           is_due(settings().sample_every) || run_.isFork(task_.name(), step) || health_.isLookedAt(step) ||
           probes_.isAnyDue(step);
  }

  /// The pending step's update; with `is_bad` the device decides whether it is made.
  void update(const torch::Tensor& is_bad = {}) {
    scaleGradients(parameters_, pending_->norms.global, settings().clip_grad);
    optimizer_.step(pending_->lr, is_bad);
    pending_->is_update_made = true;
  }

  /// Has the pending step judged and finishes it; returns what the leader wanted done after it. Nothing where no step
  /// is pending.
  Control settle(StepReporter& reporter) {
    if (!pending_) return Control::kContinue;
    Laps laps = newLaps(reporter);
    const auto figures = pending_->figures.wait();
    const std::span<const double> scalars(figures.data(), scalar_names_.size());
    const auto control = static_cast<Control>(std::lround(figures[scalars.size()]));
    const double grad_norm = figures[scalars.size() + 1];
    const bool is_bad = figures[scalars.size() + 2] != 0;
    const double lr = pending_->lr;
    const JudgedStep judged{.step = pending_->step,
                            .lr = lr,
                            .objective = scalars.front(),
                            .loss = scalars[seenLoss()],
                            .grad_norm = grad_norm};
    const auto verdict = health_.judge(judged, pending_->norms.each);
    TORCH_CHECK(is_bad == (verdict != StepVerdict::kUpdate), task_.name(), ": step ", judged.step,
                " was judged otherwise on the device than on the host");
    if (verdict == StepVerdict::kRollBack) {
      pending_.reset();
      rollBack();
      return control;
    }
    if (verdict == StepVerdict::kUpdate) {
      health_.beforeUpdate();
      if (!pending_->is_update_made) update();
      ema_.update(settings().ema_decay);  // before the next update: the average is of what is judged
      health_.afterUpdate();
      laps.end("optimizer");  // before the step's own clock is read: its parts are no longer than it
      reporter.add(scalar_names_, scalars, grad_norm, settings().clip_grad > 0 && grad_norm > settings().clip_grad);
    }
    pending_.reset();
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
    const auto control = agree(worker_.isLeader() ? ask() : Control::kContinue);
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
        writeRunConfig(config_, run_);
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

  /// This rank's share of the batch; empty where it has none.
  std::optional<core::LossTerms> forward(std::int64_t k, const std::vector<std::int64_t>& positions) {
    if (!positions.empty()) return task_.loss(k, positions);
    if (scalar_names_.empty())
      throw std::runtime_error(task_.name() + ": batch_size " + std::to_string(settings().batch_size) +
                               " is smaller than the number of workers " + std::to_string(worker_.size()) + "; raise " +
                               task_.name() + ".training.batch_size or lower num_workers");
    return std::nullopt;
  }

  /// Gradients of this rank's share. Returns its scalars, weighted, the loss first, and last the leader's order, as one
  /// float64 tensor on the device.
  torch::Tensor backward(std::optional<core::LossTerms> terms, const std::vector<std::int64_t>& positions) {
    const auto order = torch::full({1}, static_cast<double>(worker_.isLeader() ? ask() : Control::kContinue),
                                   torch::dtype(torch::kFloat64).device(worker_.device()));
    if (!terms) return torch::cat({order.new_zeros({static_cast<std::int64_t>(scalar_names_.size())}), order});
    // Each rank weights its mean by its share of the global batch: the sum over ranks is the global mean.
    const double weight = static_cast<double>(positions.size()) / static_cast<double>(settings().batch_size);
    (terms->loss * weight).backward();
    if (scalar_names_.empty()) nameScalars(*terms);
    std::vector<torch::Tensor> scalars = {terms->loss.detach().to(torch::kFloat64)};
    for (const auto& [name, value] : terms->scalars) scalars.push_back(value.detach().to(torch::kFloat64));
    return torch::cat({torch::stack(scalars) * weight, order});
  }

  /// The leader's next order, once the last one was obeyed.
  Control ask() {
    if (has_order_) return Control::kContinue;
    const auto order = run_.pollControl();
    has_order_ = order != Control::kContinue;
    return order;
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
    return agree(worker_.isLeader() ? (run_.*decide)() : Control::kContinue);
  }
  Control agree(Control decision) const {
    auto code = torch::tensor(static_cast<std::int64_t>(decision));
    worker_.broadcast(code);
    return static_cast<Control>(code.item<std::int64_t>());
  }

  void obey(Control control, StepReporter& reporter) {
    if (control == Control::kContinue) return;
    has_order_ = false;
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
    changeLiveSetting(config_, worker_, run_, task_.name(), progress_.step);
    reporter.setTotalSteps(settings().steps);
    reporter.setLogEvery(settings().log_every);
    progress_.total_steps = settings().steps;
  }

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
  std::optional<Pending> pending_;
  bool has_order_ = false;  ///< One that was not obeyed yet. Leader only.
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
