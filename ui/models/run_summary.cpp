// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/run_summary.h"

#include <algorithm>
#include <cmath>

#include "core/base/run/run_state.h"
#include "ui/models/alarm_words.h"
#include "ui/models/run_branch.h"

namespace meanflow::ui {

void StepAxis::setStages(const std::vector<StageSummary>& stages) {
  spans_.clear();
  std::int64_t begin = 0;
  for (const auto& stage : stages) {
    const auto length = std::max<std::int64_t>({stage.total_steps, stage.step, 1});
    spans_.push_back({stage.name, begin, length});
    begin += length;
  }
}

std::int64_t StepAxis::position(std::string_view stage, std::int64_t step) const {
  for (const auto& span : spans_) {
    if (span.stage == stage) return span.begin + std::clamp<std::int64_t>(step, 0, span.length);
  }
  return 0;
}

StepCursor StepAxis::at(std::int64_t position) const {
  if (spans_.empty()) return {};
  for (const auto& span : spans_) {
    if (position <= span.begin + span.length) return {span.stage, std::max<std::int64_t>(position - span.begin, 0)};
  }
  return {spans_.back().stage, spans_.back().length};
}

StageSummary* RunSummary::find(std::string_view stage) {
  const auto found = std::find_if(stages.begin(), stages.end(), [&](const auto& s) { return s.name == stage; });
  return found == stages.end() ? nullptr : &*found;
}

std::optional<StepCursor> RunSummary::head() const {
  if (current_stage < 0) return std::nullopt;
  const auto& stage = stages[static_cast<std::size_t>(current_stage)];
  return StepCursor{stage.name, stage.step};
}

std::int64_t RunSummary::unsavedSteps() const {
  const auto now = head();
  if (!now || state == base::RunState::kFinished) return 0;
  if (last_saved && last_saved->stage == now->stage) return std::max<std::int64_t>(now->step - last_saved->step, 0);
  return now->step;
}

namespace {

/// One overload an event type; the rest says nothing about the summary.
struct Fold {
  RunSummary& run;

  StageSummary& stageNamed(const std::string& name) {
    if (auto* stage = run.find(name)) return *stage;
    run.stages.push_back({.name = name});
    return run.stages.back();
  }
  void makeCurrent(const StageSummary& stage) { run.current_stage = static_cast<int>(&stage - run.stages.data()); }

  /// A run may be taken up again with other stages, such as the control between MeanFlow and the report.
  void orderStages(const std::vector<std::string>& names) {
    const auto current =
        run.current_stage < 0 ? std::string() : run.stages[static_cast<std::size_t>(run.current_stage)].name;
    // A branch may go on with its last stages alone: then the others stand where they always do.
    static const std::vector<std::string> kUsual = {"encoder",   "decoder", "teacher", "cmt",
                                                    "mean_flow", "control", "report"};
    const bool names_all = std::all_of(run.stages.begin(), run.stages.end(), [&](const auto& stage) {
      return std::find(names.begin(), names.end(), stage.name) != names.end();
    });
    const auto& order = names_all ? names : kUsual;
    const auto place = [&](const StageSummary& stage) { return std::find(order.begin(), order.end(), stage.name); };
    std::stable_sort(run.stages.begin(), run.stages.end(),
                     [&](const auto& a, const auto& b) { return place(a) < place(b); });
    if (const auto* stage = run.find(current)) makeCurrent(*stage);
  }

  void operator()(const base::RunStarted& e) {
    run.has_started = true;
    run.run_name = e.run_name;
    run.seed = e.seed;
    run.device = e.device;
    run.num_workers = e.num_workers;
    if (!e.class_names.empty()) run.class_names = e.class_names;
    for (std::size_t i = 0; i < e.stages.size(); ++i) {
      auto& stage = stageNamed(e.stages[i]);
      if (i < e.stage_steps.size()) stage.total_steps = e.stage_steps[i];
    }
    orderStages(e.stages);
    run.failure.clear();
    run.outcome.clear();
    run.is_diverged = false;
    run.progress = {};
    if (e.is_resumed && run.head()) {
      run.milestones.push_back({Milestone::Kind::kResumed, run.head()->stage, run.head()->step, {}});
    }
  }
  void operator()(const base::StateChanged& e) {
    run.state = e.state;
    if (run.current_stage < 0) return;
    auto& stage = run.stages[static_cast<std::size_t>(run.current_stage)];
    if (stage.state == StageState::kDone) return;
    switch (e.state) {
      case base::RunState::kPaused:
        stage.state = StageState::kPaused;
        break;
      case base::RunState::kStopped:
        stage.state = StageState::kStopped;
        break;
      case base::RunState::kFailed:
        stage.state = StageState::kFailed;
        break;
      case base::RunState::kRunning:
        stage.state = StageState::kRunning;
        break;
      default:
        break;
    }
    if (base::isEnded(e.state)) stage.eta_seconds = -1;
  }
  void operator()(const base::StageStarted& e) {
    auto& stage = stageNamed(e.stage);
    stage.state = StageState::kRunning;
    stage.step = e.step;
    if (e.total_steps > 0) stage.total_steps = e.total_steps;
    stage.num_parameters = e.num_parameters;
    stage.eta_seconds = -1;
    std::erase_if(run.milestones, [&](const Milestone& m) {
      return m.stage == e.stage && m.step > e.step && m.kind != Milestone::Kind::kResumed &&
             m.kind != Milestone::Kind::kAlarm;  // what it rolled back for
    });
    makeCurrent(stage);
    run.progress = {};
  }
  void operator()(const base::StepCompleted& e) {
    auto& stage = stageNamed(e.stage);
    stage.step = e.step;
    stage.total_steps = std::max(stage.total_steps, e.step);
    stage.seconds_per_step = e.seconds_per_step;
    stage.images_per_second = e.images_per_second;
    stage.eta_seconds = e.eta_seconds;
    for (const auto& scalar : e.scalars) {
      if (scalar.name == "loss") stage.last_loss = scalar.value;
    }
    if (stage.state == StageState::kWaiting) stage.state = StageState::kRunning;
    makeCurrent(stage);
  }
  void operator()(const base::SamplesReady& e) {
    run.milestones.push_back({Milestone::Kind::kSamples, e.stage, e.step, e.what});
  }
  void operator()(const base::CheckpointSaved& e) {
    run.milestones.push_back({Milestone::Kind::kCheckpoint, e.stage, e.step, e.path});
    run.last_saved = StepCursor{e.stage, e.step};
    auto& stage = stageNamed(e.stage);
    stage.step = std::max(stage.step, e.step);  // a run that stops between two reports is saved at the step it reached
  }
  void operator()(const base::SettingChanged& e) {
    run.milestones.push_back(
        {Milestone::Kind::kSettingChanged, e.stage, e.step, e.key + ": " + e.old_value + " → " + e.new_value});
  }
  void operator()(const base::AlarmRaised& e) {
    const auto weight = alarmWeight(e.action);
    const auto kind = weight == AlarmWeight::kWarning   ? Milestone::Kind::kWarning
                      : weight == AlarmWeight::kSkipped ? Milestone::Kind::kSkipped
                                                        : Milestone::Kind::kAlarm;
    run.milestones.push_back({kind, e.stage, e.step, alarmLine(e).toStdString()});
  }
  void operator()(const base::RunBranched& e) {
    run.milestones.push_back({Milestone::Kind::kBranched, e.stage, e.step, branchLine(e).toStdString()});
  }
  void operator()(const base::StageFinished& e) {
    auto& stage = stageNamed(e.stage);
    stage.state = StageState::kDone;
    stage.step = std::max(stage.step, e.step);
    stage.total_steps = std::max<std::int64_t>(stage.step, 0);
    stage.wall_seconds = e.wall_seconds;
    stage.eta_seconds = -1;
    makeCurrent(stage);
    run.last_saved = StepCursor{e.stage, stage.step};
  }
  void operator()(const base::WatchingCost& e) {
    run.watching_fraction = e.fraction;
    run.watching_budget = e.budget;
  }
  void operator()(const base::Progress& e) {
    run.progress = e;
    if (e.total > 0 && e.done >= e.total) run.progress = {};
  }
  void operator()(const base::RunFailed& e) {
    run.state = base::RunState::kFailed;
    run.failure = e.what;
    run.is_diverged = e.is_diverged;
    if (!e.stage.empty()) {
      auto& stage = stageNamed(e.stage);
      stage.state = StageState::kFailed;
      stage.eta_seconds = -1;
      makeCurrent(stage);
      run.milestones.push_back({Milestone::Kind::kFailed, e.stage, e.step, e.what});
    }
  }
  void operator()(const base::RunFinished& e) {
    run.outcome = e.outcome;
    run.progress = {};
    run.state = e.outcome == "finished" ? base::RunState::kFinished : base::RunState::kStopped;
  }
  template <class Other>
  void operator()(const Other&) {}
};

}  // namespace

void RunSummary::apply(const base::EventRecord& record) {
  if (started_unix == 0) started_unix = record.unix_seconds;
  last_event_unix = std::max(last_event_unix, record.unix_seconds);
  std::visit(Fold{*this}, record.event);
}

}  // namespace meanflow::ui
