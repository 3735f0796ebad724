// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/events/training_event.h"
#include "core/base/metrics/metric_series.h"

namespace meanflow::base {

enum class StageState { kWaiting, kRunning, kDone, kFailed };

struct StageModel {
  std::string name;
  StageState state = StageState::kWaiting;
  std::int64_t step = 0, total_steps = 0;
  std::int64_t num_parameters = 0;
  std::int64_t images_seen = 0;
  double seconds_per_step = 0, images_per_second = 0;
  double eta_seconds = -1;                   ///< < 0 when unknown.
  double wall_seconds = 0, cpu_seconds = 0;  ///< Known when done.
  double progress() const { return total_steps > 0 ? static_cast<double>(step) / static_cast<double>(total_steps) : 0; }
};

/// A picture of samples or the like, with when it was made.
template <class T>
struct Timed {
  double unix_seconds = 0;
  T event;
};

/// Everything a window shows of one run, built from its events alone: a live run and a recorded one look the same.
/// Plain C++, one thread. A StageStarted at step k makes everything of that stage beyond k void (the run was resumed
/// from a checkpoint). `revision` counters tell a panel whether its part has changed.
class MetricsStore {
 public:
  using Key = std::pair<std::string, std::string>;  ///< (stage, name or what)
  using SeriesMap = std::map<Key, MetricSeries>;

  void apply(const EventRecord& record);
  void clear() { *this = {}; }

  /// nullptr when the run has not reported it. Besides the scalars of StepCompleted there are "seconds_per_step",
  /// "images_per_second", "images_seen", "is_clipped", "unix_seconds" and "device_seconds" (below), and the metrics of
  /// MetricsReady under "metrics/NAME". x is the step. Pointers stay valid until clear() or replaceSeries().
  const MetricSeries* series(const std::string& stage, const std::string& name) const;
  std::vector<std::string> seriesNames(const std::string& stage) const;

  const SeriesMap& allSeries() const { return series_; }
  SeriesMap takeSeries();
  /// Puts the same series at another resolution in their place: condensed ones, or all their points.
  void replaceSeries(SeriesMap series);
  /// Entries of the longest series.
  std::size_t longestSeries() const;
  /// Folds the longest series if it has more than `max_entries` (MetricSeries::fold): one at a time, so that no caller
  /// is held up for long. Whether one was folded.
  bool foldLongest(std::size_t max_entries);

  const std::optional<RunStarted>& run() const { return run_; }
  RunState state() const { return state_; }
  const std::string& failure() const { return failure_; }  ///< Empty unless failed.
  bool isDiverged() const { return is_diverged_; }
  const std::string& outcome() const { return outcome_; }  ///< Of RunFinished.
  const std::vector<StageModel>& stages() const { return stages_; }
  const StageModel* stage(const std::string& name) const;
  /// The stage that runs now or ran last; empty before the first.
  const std::string& currentStage() const { return current_stage_; }

  /// Oldest first. Of live grids only the newest of each list keeps its pixels when the others can be loaded by path.
  const std::vector<Timed<SamplesReady>>& samples(const std::string& stage, const std::string& what) const;
  std::vector<Key> sampleKeys() const;
  const std::vector<Timed<TrajectoryReady>>& trajectories() const { return trajectories_; }
  const std::vector<Timed<CmtMatrixReady>>& cmtMatrices() const { return cmt_matrices_; }
  const std::vector<Timed<MetricsReady>>& evaluations() const { return evaluations_; }
  const std::vector<Timed<CheckpointSaved>>& checkpoints() const { return checkpoints_; }
  const std::vector<Timed<SettingChanged>>& settings() const { return settings_; }
  const std::vector<Timed<AlarmRaised>>& alarms() const { return alarms_; }  ///< Also those of voided steps.
  const std::vector<Timed<DiagnosisReady>>& diagnoses() const { return diagnoses_; }
  const std::optional<RunBranched>& branch() const { return branch_; }  ///< Of a run that left another.
  const std::deque<Timed<LogMessage>>& log() const { return log_; }     ///< The newest 10,000 lines.
  const std::optional<WatchingCost>& watchingCost() const { return watching_cost_; }
  const std::map<std::string, Progress>& progress() const { return progress_; }  ///< By what; done work leaves it.
  double lastUnixSeconds() const { return last_unix_seconds_; }

  struct Revisions {
    std::uint64_t series = 0, stages = 0, samples = 0, trajectories = 0, cmt_matrices = 0, evaluations = 0,
                  checkpoints = 0, settings = 0, log = 0, run = 0, progress = 0, alarms = 0;
  };
  const Revisions& revisions() const { return revisions_; }

 private:
  void on(const RunStarted& event);
  void on(const StateChanged& event);
  void on(const StageStarted& event);
  void on(const StepCompleted& event);
  void on(const SamplesReady& event);
  void on(const TrajectoryReady& event);
  void on(const CmtMatrixReady& event);
  void on(const MetricsReady& event);
  void on(const CheckpointSaved& event);
  void on(const SettingChanged& event);
  void on(const StageFinished& event);
  void on(const WatchingCost& event);
  void on(const LogMessage& event);
  void on(const Progress& event);
  void on(const RunFailed& event);
  void on(const RunFinished& event);
  void on(const BlockFiguresReady& /*event*/) {}       // kept by those who show them: many numbers, bounded there
  void on(const VelocityResidualsReady& /*event*/) {}  // likewise
  void on(const TimeFiguresReady& /*event*/) {}        // likewise
  void on(const DerivativeHealthReady& /*event*/) {}   // likewise
  void on(const AlarmRaised& event);
  void on(const DiagnosisReady& event);
  void on(const RunBranched& event);
  StageModel& stageModel(const std::string& name);
  void dropAfter(const std::string& stage, std::int64_t step);

  SeriesMap series_;
  std::optional<RunStarted> run_;
  RunState state_ = RunState::kIdle;
  std::string failure_, outcome_, current_stage_;
  bool is_diverged_ = false;
  std::vector<StageModel> stages_;
  std::map<Key, std::vector<Timed<SamplesReady>>> samples_;
  std::vector<Timed<TrajectoryReady>> trajectories_;
  std::vector<Timed<CmtMatrixReady>> cmt_matrices_;
  std::vector<Timed<MetricsReady>> evaluations_;
  std::vector<Timed<CheckpointSaved>> checkpoints_;
  std::vector<Timed<SettingChanged>> settings_;
  std::vector<Timed<AlarmRaised>> alarms_;
  std::vector<Timed<DiagnosisReady>> diagnoses_;
  std::optional<RunBranched> branch_;
  std::deque<Timed<LogMessage>> log_;
  std::optional<WatchingCost> watching_cost_;
  std::map<std::string, Progress> progress_;
  double last_unix_seconds_ = 0;
  /// Devices held by a stage: wall time between its reports times the workers of the process that made them. The time
  /// between two processes is nobody's; pauses and steps that a resume made void did cost.
  std::map<std::string, double> device_seconds_;
  double device_since_ = 0;
  Revisions revisions_;
};

}  // namespace meanflow::base
