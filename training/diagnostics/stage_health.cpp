// SPDX-License-Identifier: Apache-2.0
#include "training/diagnostics/stage_health.h"

#include <fmt/format.h>
#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/checkpoint/tensor_file.h"
#include "training/diagnostics/diagnosis_report.h"
#include "training/optim/gradients.h"

namespace meanflow::training {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr std::int64_t kStepsBetweenLooks = 50;  // a look costs some hundred passes: a run that skips goes on without
constexpr std::int64_t kQuietSteps = 200;        // after which a checkpoint is no longer held for what was before

/// Weights of the newest checkpoint; empty when there is none or it cannot be read.
NamedTensors newestWeights(const base::RunFolder& folder, const std::string& stage) {
  const auto checkpoints = folder.listCheckpoints(stage);
  if (checkpoints.empty()) return {};
  const auto loaded = core::loadTensors((checkpoints.back().path / "model.safetensors").string());
  if (!loaded) return {};
  return {loaded->begin(), loaded->end()};
}

/// printf's "-nan" says nothing that NaN does not.
std::string shown(double value) { return std::isnan(value) ? "NaN" : fmt::format("{:.6g}", value); }

std::string exactness(double error) {
  if (std::isnan(error))
    return "The step was evaluated again on the weights it began with; its loss was not finite both times.";
  if (error == 0) return "The step was evaluated again on the weights it began with and gave the same loss to the bit.";
  return fmt::format(
      "The step was evaluated again on the weights it began with; its loss differed by {:.2g} of itself: this device "
      "does not repeat sums in the same order.",
      error);
}

}  // namespace

StageHealth::StageHealth(StageTask& task, const base::RunConfig& config, TrainingState state,
                         const CheckpointStore& store, const Worker& worker, RunContext& run)
    : task_(task),
      config_(config),
      state_(state),
      store_(store),
      worker_(worker),
      run_(run),
      groups_(namedParameters(state.module)),
      meter_(groups_, state.optimizer, state.ema),
      monitor_(config.diagnostics),
      recorder_(groups_, static_cast<std::size_t>(config.diagnostics.recorder_steps)) {}

bool StageHealth::isLookedAt(std::int64_t step) const {
  const auto is_due = [&](std::int64_t every) { return every > 0 && step % every == 0; };
  return step_ == 0 || is_due(settings().figures_every) || is_due(settings().activations_every) ||
         run_.isReplayed(task_.name(), step);
}

void StageHealth::beginStep(std::int64_t step) {
  is_first_ = step_ == 0;
  step_ = step;
  // What a process before this one held is let go of by this one, when it has seen as many quiet steps.
  if (is_first_ && worker_.isLeader() && store_.isHolding()) is_holding_ = true, last_alarm_ = step - 1;
  current_ = FlightRecorder::Step();
  grad_norms_ = torch::Tensor();
  probe_.reset();
  if (worker_.isLeader() && isDue(settings().activations_every)) probe_.emplace();
}

void StageHealth::observe(const core::LossTerms& terms) {
  current_.t = terms.t, current_.r = terms.r, current_.err_sq = terms.err_sq;
  if (settings().figures_every > 0) time_figures_.add(terms);
}

std::string StageHealth::policyAction() const {
  const auto& policy = settings().on_divergence;
  if (policy == "skip") return num_skipped_in_a_row_ < settings().max_skips ? "skip" : "stop";
  if (policy == "roll_back")
    return num_rollbacks_ < settings().max_rollbacks && store_.newestProgress() ? "roll_back" : "stop";
  return "stop";
}

base::AlarmRaised StageHealth::alarmFor(const base::HealthFinding& finding, const std::string& action) const {
  base::AlarmRaised alarm{
      task_.name(), step_, finding.kind, finding.figure, finding.value, finding.typical, finding.threshold, action,
      {},           {}};
  alarm.origin.step = step_;
  const std::string what = finding.figure == "loss"        ? "the loss"
                           : finding.figure == "grad_norm" ? "the gradient norm"
                                                           : finding.figure;
  alarm.text = !std::isfinite(finding.value)
                   ? fmt::format("At step {} of {} {} is not finite", step_, task_.name(), what)
                   : fmt::format("At step {} of {} {} is {:.3g}, usually {:.3g}", step_, task_.name(), what,
                                 finding.value, finding.typical);
  if (finding.kind == "none")
    alarm.text =
        fmt::format("Step {} of {} was looked into on demand; its loss is {:.3g}", step_, task_.name(), finding.value);
  if (action == "skip")
    alarm.text += fmt::format("; the step is skipped, {} so far", num_skipped_ + 1);
  else if (action == "roll_back")
    alarm.text += "; the stage goes back to its last healthy checkpoint";
  else if (action == "stop")
    alarm.text += fmt::format("; the weights are still those of step {}", step_ - 1);
  alarm.text += ".";
  return alarm;
}

void StageHealth::raise(base::AlarmRaised alarm) {
  last_alarm_ = step_;
  if (!worker_.isLeader()) return;
  store_.holdNewest();
  is_holding_ = true;
  run_.publish(std::move(alarm));
}

torch::Tensor StageHealth::isBad(const torch::Tensor& objective, const torch::Tensor& loss,
                                 const torch::Tensor& grad_norm) const {
  const auto bounds = monitor_.bounds();  // a comparison with NaN is false
  return objective.isfinite()
      .logical_and(loss <= bounds.loss)
      .logical_and(loss.isfinite())
      .logical_and(grad_norm <= bounds.grad_norm)
      .logical_and(grad_norm.isfinite())
      .logical_not();
}

std::string StageHealth::firstNonFiniteGradient(const torch::Tensor& grad_norms) const {
  const auto norms = grad_norms.to(torch::kCPU, torch::kFloat32).contiguous();
  for (std::int64_t i = 0; i < norms.numel(); ++i)
    if (!std::isfinite(norms.data_ptr<float>()[i])) return groups_.parameters()[static_cast<std::size_t>(i)].first;
  return {};
}

StepVerdict StageHealth::judge(const JudgedStep& step, const torch::Tensor& grad_norms) {
  grad_norms_ = grad_norms;
  current_.step = step.step, current_.lr = step.lr, current_.loss = step.loss, current_.grad_norm = step.grad_norm;
  current_.is_clipped = task_.settings().clip_grad > 0 && step.grad_norm > task_.settings().clip_grad;
  current_.grad_norms = grad_norms;
  recorder_.setCapacity(static_cast<std::size_t>(settings().recorder_steps));
  // The objective may be weighted to stay near 1 while the loss explodes, and the other way round it may overflow
  // alone.
  const double loss = std::isfinite(step.objective) ? step.loss : step.objective;
  const auto finding = monitor_.judgeStep(step.step, loss, step.grad_norm);
  if (run_.isReplayed(task_.name(), step.step)) {
    recorder_.add(current_);
    const auto seen = finding.value_or(base::HealthFinding{"none", "loss", loss, kNaN, kNaN});
    lookAgain(alarmFor(seen, "none"), step);
    throw ForkReached{};
  }
  if (!finding || !finding->isBad()) {
    recorder_.add(current_);
    num_skipped_in_a_row_ = 0;
    if (finding) raise(alarmFor(*finding, "warn"));
    if (is_holding_ && step.step - last_alarm_ >= kQuietSteps) {
      store_.release();
      is_holding_ = false;
    }
    return StepVerdict::kUpdate;
  }
  const auto action = policyAction();
  current_.action = action;
  recorder_.add(current_);
  auto alarm = alarmFor(*finding, action);
  if (finding->kind == "non_finite") {
    alarm.origin.tensor = firstNonFiniteGradient(grad_norms);
    alarm.origin.block = blockOf(alarm.origin.tensor);
  }
  raise(alarm);
  std::string why = alarm.origin.tensor.empty() ? "" : ", first non-finite gradient in " + alarm.origin.tensor;
  auto origin = alarm.origin;
  if (settings().replay && (action != "skip" || step.step - last_look_ >= kStepsBetweenLooks)) {
    last_look_ = step.step;
    const auto found = lookAgain(alarm, step);
    if (found.is_found) why += "; " + found.text, origin = found.origin;
  }
  if (action == "skip") {
    ++num_skipped_, ++num_skipped_in_a_row_;
    return StepVerdict::kSkip;
  }
  if (action == "roll_back") {
    ++num_rollbacks_;
    for (auto bad = step.step; bad > std::max<std::int64_t>(0, step.step - settings().rollback_skips); --bad)
      passed_over_.insert(bad);
    return StepVerdict::kRollBack;
  }
  throw Diverged(fmt::format(
      "{} diverged at step {}: loss {}, gradient norm {}{}; the weights are still those of "
      "step {}. {}",
      task_.name(), step.step, shown(loss), shown(step.grad_norm), why, step.step - 1, adviceFor(alarm, origin)));
}

double StageHealth::repeatedObjective(std::int64_t step) {
  const auto positions = worker_.positions(task_.settings().batch_size);
  double objective = 0;
  if (!positions.empty()) {
    const torch::NoGradGuard no_grad;
    const double weight = static_cast<double>(positions.size()) / static_cast<double>(task_.settings().batch_size);
    objective = task_.loss(step - 1, positions).loss.item<double>() * weight;
  }
  if (worker_.size() == 1) return objective;
  auto sum = torch::tensor(static_cast<float>(objective));  // as the gradient reducer sums it
  worker_.allReduceSum(sum);
  return sum.item<float>();
}

FaultFinding StageHealth::lookAgain(const base::AlarmRaised& alarm, const JudgedStep& step) {
  const double repeated = repeatedObjective(step.step);
  double error = kNaN;
  if (std::isfinite(repeated) && std::isfinite(step.objective))
    error = step.objective == repeated ? 0 : std::abs(repeated - step.objective) / std::abs(step.objective);
  const FaultScene scene{.task = task_,
                         .state = state_,
                         .worker = worker_,
                         .step = step.step - 1,
                         .kind = alarm.kind,
                         .lr = step.lr,
                         .typical_lr = recorder_.typicalRate(),
                         .healthy_weights = newestWeights(run_.folder(), task_.name())};
  auto finding = findFault(scene);
  const auto recorded = recorder_.text(task_, worker_);
  if (!worker_.isLeader()) {
    worker_.barrier();  // a rank that ends its run here would take the leader from its report
    return finding;
  }
  if (finding.text.empty())
    finding.text =
        alarm.kind == "none"
            ? "nothing left its range"
            : "nothing left its range when the step was evaluated again: the numbers before it had grown step by step";
  const auto folder = run_.folder().diagnostics(task_.name()) / (base::stepName(step.step) + "_" + alarm.kind);
  const auto written = writeDiagnosis(folder, {.run_name = run_.run_name,
                                               .alarm = alarm,
                                               .finding = finding,
                                               .recorder = recorder_,
                                               .recorder_text = recorded,
                                               .block_names = groups_.names(),
                                               .replay_words = exactness(error),
                                               .config = config_});
  if (!written)
    run_.log("warn",
             "the report on step " + std::to_string(step.step) + " was not written: " + written.error().message);
  run_.publish(base::DiagnosisReady{task_.name(), step.step, alarm.kind, finding.origin, finding.text,
                                    written ? run_.folder().relative(folder) : std::string(), error});
  worker_.barrier();
  return finding;
}

void StageHealth::beforeUpdate() {
  if (worker_.isLeader() && isDue(settings().figures_every)) meter_.begin(grad_norms_);
}

void StageHealth::afterUpdate() {
  if (!isDue(settings().figures_every)) return;
  auto over_time = time_figures_.fetch([this](torch::Tensor& sums) { worker_.allReduceSum(sums); });
  if (!worker_.isLeader()) return;
  if (!over_time.by_t.empty()) {
    over_time.stage = task_.name(), over_time.step = step_;
    run_.publish(std::move(over_time));
  }
  const auto figures = meter_.finish(task_.name(), step_, probe_ ? &*probe_ : nullptr);
  run_.publish(figures);
  if (const auto& lost = meter_.lostMoment()) {
    auto alarm = alarmFor({"moments", lost->tensor, lost->norm, lost->expected, lost->expected}, "warn");
    alarm.origin.tensor = lost->tensor, alarm.origin.block = lost->block, alarm.origin.operation = "optimizer";
    alarm.text = fmt::format(
        "The moment {} fell to {:.3g} at step {}, where AdamW's decay leaves at least {:.3g}: "
        "updates of {} are too large until it has recovered. Was a checkpoint changed by hand?",
        lost->tensor, lost->norm, step_, lost->expected, lost->block);
    raise(std::move(alarm));
  }
  for (const auto& figure : figures.figures) {
    if (figure.name != "update_norm") continue;
    for (std::size_t i = 0; i < figures.blocks.size(); ++i) {
      const auto finding =
          monitor_.judgeFigure(step_, "update", "update_norm of " + figures.blocks[i], figure.values[i]);
      if (!finding) continue;
      auto alarm = alarmFor(*finding, "warn");
      alarm.figure = "update_norm", alarm.origin.block = figures.blocks[i];
      raise(std::move(alarm));
    }
  }
}

void StageHealth::noteDerivative(const base::DerivativeHealthReady& health) {
  if (health.verdict != "rounding") return;
  base::AlarmRaised alarm{task_.name(),
                          step_,
                          "derivative",
                          "delta_t",
                          health.delta_t,
                          health.suggested_delta_t,
                          health.suggested_delta_t,
                          "warn",
                          {},
                          {}};
  alarm.origin.step = step_;
  alarm.text = fmt::format(
      "The finite difference's step delta_t = {:.3g} sits where rounding in {} rules its error; "
      "mean_flow.delta_t={:.3g} has the smallest.",
      health.delta_t, health.precision, health.suggested_delta_t);
  raise(std::move(alarm));
}

bool StageHealth::passesOver(std::int64_t step) const {
  const auto& skipped = task_.settings().skip_steps;
  return passed_over_.contains(step) || std::find(skipped.begin(), skipped.end(), step) != skipped.end();
}

std::set<std::int64_t> StageHealth::passedOver(std::span<const std::int64_t> configured) const {
  auto all = passed_over_;
  all.insert(configured.begin(), configured.end());
  return all;
}

void StageHealth::rolledBack() {
  meter_.forget();
  recorder_.forget();
}

}  // namespace meanflow::training
