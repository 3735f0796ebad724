// SPDX-License-Identifier: Apache-2.0
#include "core/base/metrics/metrics_store.h"

#include <algorithm>
#include <utility>

namespace meanflow::base {
namespace {

constexpr std::size_t kMaxLogLines = 10'000;
const std::vector<Timed<SamplesReady>> kNoSamples;

template <class T>
bool eraseAfter(std::vector<Timed<T>>& list, const std::string& stage, std::int64_t step) {
  return std::erase_if(list, [&](const auto& item) { return item.event.stage == stage && item.event.step > step; }) > 0;
}

}  // namespace

void MetricsStore::apply(const EventRecord& record) {
  last_unix_seconds_ = record.unix_seconds;
  std::visit([this](const auto& event) { on(event); }, record.event);
}

const MetricSeries* MetricsStore::series(const std::string& stage, const std::string& name) const {
  const auto it = series_.find({stage, name});
  return it == series_.end() ? nullptr : &it->second;
}

std::vector<std::string> MetricsStore::seriesNames(const std::string& stage) const {
  std::vector<std::string> names;
  for (auto it = series_.lower_bound({stage, ""}); it != series_.end() && it->first.first == stage; ++it)
    names.push_back(it->first.second);
  return names;
}

MetricsStore::SeriesMap MetricsStore::takeSeries() {
  ++revisions_.series;
  return std::exchange(series_, {});
}

void MetricsStore::replaceSeries(SeriesMap series) {
  series_ = std::move(series);
  ++revisions_.series;
}

std::size_t MetricsStore::longestSeries() const {
  std::size_t longest = 0;
  for (const auto& [key, series] : series_) longest = std::max(longest, series.size());
  return longest;
}

bool MetricsStore::foldLongest(std::size_t max_entries) {
  const auto longest = std::max_element(series_.begin(), series_.end(),
                                        [](const auto& a, const auto& b) { return a.second.size() < b.second.size(); });
  if (longest == series_.end() || longest->second.size() <= max_entries) return false;
  const auto before = longest->second.size();
  longest->second.fold();
  if (longest->second.size() == before) return false;
  ++revisions_.series;
  return true;
}

const StageModel* MetricsStore::stage(const std::string& name) const {
  const auto it = std::find_if(stages_.begin(), stages_.end(), [&](const auto& stage) { return stage.name == name; });
  return it == stages_.end() ? nullptr : &*it;
}

StageModel& MetricsStore::stageModel(const std::string& name) {
  for (auto& stage : stages_)
    if (stage.name == name) return stage;
  stages_.push_back({.name = name});
  return stages_.back();
}

const std::vector<Timed<SamplesReady>>& MetricsStore::samples(const std::string& stage, const std::string& what) const {
  const auto it = samples_.find({stage, what});
  return it == samples_.end() ? kNoSamples : it->second;
}

std::vector<MetricsStore::Key> MetricsStore::sampleKeys() const {
  std::vector<Key> keys;
  for (const auto& [key, list] : samples_)
    if (!list.empty()) keys.push_back(key);
  return keys;
}

void MetricsStore::dropAfter(const std::string& stage, std::int64_t step) {
  for (auto it = series_.lower_bound({stage, ""}); it != series_.end() && it->first.first == stage; ++it)
    it->second.truncateAfter(static_cast<double>(step));
  for (auto& [key, list] : samples_)
    if (key.first == stage && eraseAfter(list, stage, step)) ++revisions_.samples;
  if (eraseAfter(trajectories_, stage, step)) ++revisions_.trajectories;
  if (eraseAfter(cmt_matrices_, stage, step)) ++revisions_.cmt_matrices;
  if (eraseAfter(evaluations_, stage, step)) ++revisions_.evaluations;
  if (eraseAfter(checkpoints_, stage, step)) ++revisions_.checkpoints;
  if (eraseAfter(settings_, stage, step)) ++revisions_.settings;
  ++revisions_.series;
}

void MetricsStore::on(const RunStarted& event) {
  run_ = event;
  failure_.clear(), outcome_.clear(), is_diverged_ = false;
  progress_.clear();
  std::vector<StageModel> stages;  // in the order of the run; what earlier processes did is kept
  for (std::size_t i = 0; i < event.stages.size(); ++i) {
    const StageModel* known = stage(event.stages[i]);
    stages.push_back(known != nullptr ? *known : StageModel{.name = event.stages[i]});
    if (i < event.stage_steps.size()) stages.back().total_steps = event.stage_steps[i];
    if (stages.back().state != StageState::kDone) stages.back().state = StageState::kWaiting;
  }
  stages_ = std::move(stages);
  ++revisions_.run, ++revisions_.stages, ++revisions_.progress;
}

void MetricsStore::on(const StateChanged& event) {
  state_ = event.state;
  ++revisions_.run;
}

void MetricsStore::on(const StageStarted& event) {
  device_since_ = last_unix_seconds_;
  dropAfter(event.stage, event.step);
  StageModel& model = stageModel(event.stage);
  model.state = StageState::kRunning;
  model.step = event.step, model.total_steps = event.total_steps, model.num_parameters = event.num_parameters;
  model.eta_seconds = -1, model.wall_seconds = 0, model.cpu_seconds = 0;
  current_stage_ = event.stage;
  ++revisions_.stages;
}

void MetricsStore::on(const StepCompleted& event) {
  const auto add = [&](const std::string& name, double value) {
    series_[{event.stage, name}].append(static_cast<double>(event.step), value);
  };
  for (const auto& scalar : event.scalars) add(scalar.name, scalar.value);
  // Other programs' records (run/trace_folder.h) say neither workers nor speeds, and give the tags of one step apart.
  const bool is_foreign = run_ && run_->num_workers == 0;
  const auto* times = series(event.stage, "unix_seconds");
  const bool goes_on =
      times == nullptr || times->empty() || static_cast<double>(event.step) > times->x(times->size() - 1);
  if (!is_foreign) {
    add("seconds_per_step", event.seconds_per_step);
    add("images_per_second", event.images_per_second);
    add("images_seen", static_cast<double>(event.images_seen));
    add("is_clipped", event.is_clipped ? 1 : 0);
  }
  if (!is_foreign || goes_on) add("unix_seconds", last_unix_seconds_);
  const int num_devices = run_ ? std::max(1, run_->num_workers) : 1;
  double& device_seconds = device_seconds_[event.stage];
  if (device_since_ > 0) device_seconds += std::max(0.0, last_unix_seconds_ - device_since_) * num_devices;
  device_since_ = last_unix_seconds_;
  if (!is_foreign) add("device_seconds", device_seconds);
  StageModel& model = stageModel(event.stage);
  model.step = event.step, model.images_seen = event.images_seen, model.eta_seconds = event.eta_seconds;
  model.seconds_per_step = event.seconds_per_step, model.images_per_second = event.images_per_second;
  if (model.state == StageState::kWaiting) model.state = StageState::kRunning;
  current_stage_ = event.stage;
  ++revisions_.series, ++revisions_.stages;
}

void MetricsStore::on(const SamplesReady& event) {
  auto& list = samples_[{event.stage, event.what}];
  if (!list.empty() && !list.back().event.path.empty()) list.back().event.grid.reset();
  list.push_back({last_unix_seconds_, event});
  ++revisions_.samples;
}

void MetricsStore::on(const TrajectoryReady& event) {
  for (auto& old : trajectories_)
    if (old.event.stage == event.stage && old.event.label == event.label && !old.event.path.empty())
      old.event.frames.reset();
  trajectories_.push_back({last_unix_seconds_, event});
  ++revisions_.trajectories;
}

void MetricsStore::on(const CmtMatrixReady& event) {
  cmt_matrices_.push_back({last_unix_seconds_, event});
  ++revisions_.cmt_matrices;
}

void MetricsStore::on(const MetricsReady& event) {
  for (const auto& metric : event.metrics)
    series_[{event.stage, "metrics/" + metric.name}].append(static_cast<double>(event.step), metric.value);
  evaluations_.push_back({last_unix_seconds_, event});
  ++revisions_.evaluations, ++revisions_.series;
}

void MetricsStore::on(const CheckpointSaved& event) {
  checkpoints_.push_back({last_unix_seconds_, event});
  ++revisions_.checkpoints;
}

void MetricsStore::on(const SettingChanged& event) {
  settings_.push_back({last_unix_seconds_, event});
  ++revisions_.settings;
}

void MetricsStore::on(const AlarmRaised& event) {
  alarms_.push_back({last_unix_seconds_, event});
  ++revisions_.alarms;
}

void MetricsStore::on(const DiagnosisReady& event) {
  diagnoses_.push_back({last_unix_seconds_, event});
  ++revisions_.alarms;
}

void MetricsStore::on(const RunBranched& event) {
  branch_ = event;
  ++revisions_.run;
}

void MetricsStore::on(const StageFinished& event) {
  StageModel& model = stageModel(event.stage);
  model.state = StageState::kDone, model.step = event.step, model.eta_seconds = 0;
  model.wall_seconds = event.wall_seconds, model.cpu_seconds = event.cpu_seconds;
  ++revisions_.stages;
}

void MetricsStore::on(const WatchingCost& event) {
  watching_cost_ = event;
  ++revisions_.run;
}

void MetricsStore::on(const LogMessage& event) {
  log_.push_back({last_unix_seconds_, event});
  if (log_.size() > kMaxLogLines) log_.pop_front();
  ++revisions_.log;
}

void MetricsStore::on(const Progress& event) {
  if (event.total > 0 && event.done >= event.total)
    progress_.erase(event.what);
  else
    progress_[event.what] = event;
  ++revisions_.progress;
}

void MetricsStore::on(const RunFailed& event) {
  state_ = RunState::kFailed;
  failure_ = event.what, is_diverged_ = event.is_diverged;
  if (!event.stage.empty()) stageModel(event.stage).state = StageState::kFailed;
  ++revisions_.run, ++revisions_.stages;
}

void MetricsStore::on(const RunFinished& event) {
  outcome_ = event.outcome;
  state_ = event.outcome == "finished" ? RunState::kFinished : RunState::kStopped;
  for (auto& stage : stages_)
    if (stage.state == StageState::kRunning) stage.state = StageState::kWaiting;
  ++revisions_.run, ++revisions_.stages;
}

}  // namespace meanflow::base
