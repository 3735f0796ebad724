// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/run_source.h"

#include <algorithm>
#include <utility>

namespace meanflow::ui {

RunSource::RunSource(QString folder, QObject* parent) : QObject(parent), folder_(std::move(folder)) {
  frame_.setSingleShot(true);
  frame_.setTimerType(Qt::PreciseTimer);
  connect(&frame_, &QTimer::timeout, this, &RunSource::onFrame);
}

void RunSource::scheduleFrame() {
  if (frame_.isActive()) return;
  // The first event after a quiet time is shown at once, the next ones a frame later.
  const auto since =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - last_frame_);
  frame_.start(static_cast<int>(std::clamp<std::int64_t>(kFrameMs - since.count(), 0, kFrameMs)));
}

void RunSource::onFrame() {
  last_frame_ = std::chrono::steady_clock::now();
  const bool has_more = drain();
  for (int kind = 0; kind < kNumStoreKinds; ++kind) {
    if (std::exchange(is_dirty_[static_cast<std::size_t>(kind)], false)) Q_EMIT changed(static_cast<StoreKind>(kind));
  }
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
    if (std::holds_alternative<base::StepCompleted>(record.event)) {
      mark(StoreKind::kMetrics);
    } else {
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

void RunSource::replaceSeries(base::MetricsStore::SeriesMap series) {
  is_condensed_ = std::any_of(series.begin(), series.end(), [](const auto& item) { return item.second.isCondensed(); });
  metrics_.replaceSeries(std::move(series));
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
  is_condensed_ = std::exchange(other.is_condensed_, false);
  is_dirty_.fill(true);
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
