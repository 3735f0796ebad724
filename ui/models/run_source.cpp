// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/run_source.h"

#include <algorithm>
#include <utility>

namespace meanflow::ui {
namespace {

/// Whether an event is one of many while training goes on, which the curves and the summary need not hurry for.
bool goesBy(const base::TrainingEvent& event) {
  return std::holds_alternative<base::SamplesReady>(event) || std::holds_alternative<base::TrajectoryReady>(event) ||
         std::holds_alternative<base::CmtMatrixReady>(event) || std::holds_alternative<base::LogMessage>(event) ||
         std::holds_alternative<base::BlockFiguresReady>(event) ||
         std::holds_alternative<base::VelocityResidualsReady>(event) ||
         std::holds_alternative<base::TimeFiguresReady>(event) ||
         std::holds_alternative<base::DerivativeHealthReady>(event) ||
         std::holds_alternative<base::WatchingCost>(event);
}

}  // namespace

RunSource::RunSource(QString folder, QObject* parent) : QObject(parent), folder_(std::move(folder)) {
  frame_.setSingleShot(true);
  frame_.setTimerType(Qt::PreciseTimer);
  connect(&frame_, &QTimer::timeout, this, &RunSource::onFrame);
}

void RunSource::scheduleFrame() { startFrame(std::chrono::milliseconds(kFrameMs), last_frame_); }

void RunSource::startFrame(std::chrono::milliseconds pause, Clock::time_point since) {
  // The first event after a quiet time is shown at once, the next ones a frame later.
  const auto passed = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - since);
  const auto wait = std::clamp(pause - passed, std::chrono::milliseconds(0), pause);
  if (frame_.isActive() && frame_.remainingTime() <= wait.count()) return;
  frame_.start(wait);
}

void RunSource::setWatched(bool is_watched) {
  if (std::exchange(is_watched_, is_watched) == is_watched || !is_watched) return;
  has_only_steps_ = false;  // who comes back sees how things stand
  scheduleFrame();
}

void RunSource::onFrame() {
  last_frame_ = Clock::now();
  const bool was_loading = is_loading_;
  bool has_more = drain();
  if (!is_loading_ && !is_condensed_ && metrics_.foldLongest(max_points_)) {
    mark(StoreKind::kMetrics);
    has_more = true;  // there may be another one
  }
  // Steps that go by are drawn a few times a second: with an OpenGL pane in it, every redraw is one of the whole
  // window.
  const auto pause = std::chrono::milliseconds(is_watched_ ? kStepsMs : kUnwatchedStepsMs);
  const bool shows_steps = was_loading || !has_only_steps_ || last_frame_ - last_steps_ >= pause;
  bool is_waiting = false;
  for (int kind = 0; kind < kNumStoreKinds; ++kind) {
    auto& is_dirty = is_dirty_[static_cast<std::size_t>(kind)];
    const bool is_of_steps =
        kind == static_cast<int>(StoreKind::kSummary) || kind == static_cast<int>(StoreKind::kMetrics);
    if ((is_of_steps || !is_watched_) && !shows_steps)
      is_waiting = is_waiting || is_dirty;
    else if (std::exchange(is_dirty, false))
      Q_EMIT changed(static_cast<StoreKind>(kind));
  }
  if (shows_steps) {
    last_steps_ = last_frame_;
    has_only_steps_ = true;
  }
  if (is_waiting) startFrame(pause, last_steps_);
  if (has_more) scheduleFrame();
}

void RunSource::setTrouble(const QString& trouble) {
  if (trouble == trouble_) return;
  trouble_ = trouble;
  Q_EMIT troubleChanged(trouble_);
}

void RunSource::setLoading(bool is_loading) {
  if (is_loading == is_loading_) return;
  is_loading_ = is_loading;
  allowForRecord();
  if (!is_loading_) Q_EMIT loadingFinished();
}

void RunSource::feed(std::span<const base::EventRecord> records) {
  if (records.empty()) return;
  for (const auto& record : records) {
    const auto num_stages = summary_.stages.size();
    summary_.apply(record);
    metrics_.apply(record);
    if (blocks_.apply(record.event)) mark(StoreKind::kBlocks);
    if (residuals_.apply(record.event)) mark(StoreKind::kResiduals);
    if (time_figures_.apply(record.event)) mark(StoreKind::kTimeFigures);
    if (derivative_.apply(record.event)) mark(StoreKind::kDerivative);
    if (std::holds_alternative<base::AlarmRaised>(record.event) ||
        std::holds_alternative<base::DiagnosisReady>(record.event))
      mark(StoreKind::kAlarms);
    if (std::holds_alternative<base::StepCompleted>(record.event)) {
      mark(StoreKind::kMetrics);
    } else {
      has_only_steps_ = has_only_steps_ && goesBy(record.event);
      foldPictures(record);
      mark(StoreKind::kMetrics);  // marks for checkpoints and the like are drawn with the curves
      if (summary_.stages.size() != num_stages || std::holds_alternative<base::RunStarted>(record.event) ||
          std::holds_alternative<base::StageStarted>(record.event) ||
          std::holds_alternative<base::StageFinished>(record.event)) {
        axis_.setStages(summary_.stages);
      }
    }
    if (log_.apply(record)) mark(StoreKind::kLog);
  }
  axis_.setStages(summary_.stages);
  mark(StoreKind::kSummary);
  scheduleFrame();
}

void RunSource::allowForRecord() { max_points_ = std::max(max_points_, 2 * metrics_.longestSeries()); }

void RunSource::replaceSeries(base::MetricsStore::SeriesMap series) {
  is_condensed_ = std::any_of(series.begin(), series.end(), [](const auto& item) { return item.second.isCondensed(); });
  metrics_.replaceSeries(std::move(series));
  allowForRecord();
  has_only_steps_ = false;
  mark(StoreKind::kMetrics);
  mark(StoreKind::kSummary);
  scheduleFrame();
}

void RunSource::takeOver(RunSource& other) {
  summary_ = std::exchange(other.summary_, {});
  axis_ = std::exchange(other.axis_, {});
  log_ = std::exchange(other.log_, {});
  metrics_ = std::exchange(other.metrics_, {});
  samples_ = std::exchange(other.samples_, {});
  trajectories_ = std::exchange(other.trajectories_, {});
  cmt_matrices_ = std::exchange(other.cmt_matrices_, {});
  blocks_ = std::exchange(other.blocks_, {});
  residuals_ = std::exchange(other.residuals_, {});
  time_figures_ = std::exchange(other.time_figures_, {});
  derivative_ = std::exchange(other.derivative_, {});
  is_condensed_ = std::exchange(other.is_condensed_, false);
  allowForRecord();
  is_dirty_.fill(true);
  has_only_steps_ = false;
  scheduleFrame();
}

void RunSource::foldPictures(const base::EventRecord& record) {
  if (const auto* samples = std::get_if<base::SamplesReady>(&record.event)) {
    samples_.push_back(*samples);
    if (samples_.size() > kMaxPicturesInMemory) samples_[samples_.size() - 1 - kMaxPicturesInMemory].grid.reset();
    mark(StoreKind::kSamples);
  } else if (const auto* trajectory = std::get_if<base::TrajectoryReady>(&record.event)) {
    trajectories_.push_back(*trajectory);
    if (trajectories_.size() > kMaxPicturesInMemory) {
      trajectories_[trajectories_.size() - 1 - kMaxPicturesInMemory].frames.reset();
    }
    mark(StoreKind::kTrajectories);
  } else if (const auto* matrix = std::get_if<base::CmtMatrixReady>(&record.event)) {
    cmt_matrices_.push_back(*matrix);
    mark(StoreKind::kCmtMatrix);
  } else if (const auto* stage = std::get_if<base::StageStarted>(&record.event)) {
    const auto is_void = [stage](const auto& picture) {
      return picture.stage == stage->stage && picture.step > stage->step;
    };
    if (std::erase_if(samples_, is_void) + std::erase_if(trajectories_, is_void) +
            std::erase_if(cmt_matrices_, is_void) >
        0) {
      ++num_recalls_;
      for (const auto kind : {StoreKind::kSamples, StoreKind::kTrajectories, StoreKind::kCmtMatrix}) mark(kind);
    }
  }
}

}  // namespace meanflow::ui
