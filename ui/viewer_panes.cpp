// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/viewer_panes.h"

#include "ui/panels/step_timeline.h"
#include "ui/panes/cmt_matrix_pane.h"
#include "ui/panes/sample_grid_pane.h"
#include "ui/panes/trajectory_pane.h"

namespace meanflow::ui {
namespace {

/// Gives a pane what is new, or everything again when some was taken back.
template <class Pane, class Taken, class Entry, class Convert>
void handOver(Pane& pane, Taken& taken, const std::vector<Entry>& entries, int recall, const Convert& convert) {
  if (taken.recall != recall || taken.count > entries.size() || taken.count + 64 < entries.size()) {
    pane.setEntries(convert(0));
  } else {
    for (auto& entry : convert(taken.count)) pane.addEntry(std::move(entry));
  }
  taken.count = entries.size();
  taken.recall = recall;
}

}  // namespace

ViewerPanes::ViewerPanes(StepTimeline& timeline, QObject* parent)
    : QObject(parent),
      timeline_(timeline),
      samples_(new SampleGridPane),
      trajectory_(new TrajectoryPane),
      cmt_matrix_(new CmtMatrixPane) {
  samples_->setAccessibleName(tr("Samples"));
  trajectory_->setAccessibleName(tr("Trajectory theatre"));
  cmt_matrix_->setAccessibleName(tr("CMT errors"));
  connect(samples_, &SampleGridPane::stepPicked, &timeline_, &StepTimeline::setCursor);
  connect(trajectory_, &TrajectoryPane::stepPicked, &timeline_, &StepTimeline::setCursor);
  connect(cmt_matrix_, &CmtMatrixPane::stepPicked, &timeline_, &StepTimeline::setCursor);
  connect(samples_, &SampleGridPane::liveChanged, this, [this](bool is_live) {
    if (is_live) timeline_.setLive(true);
  });
  connect(trajectory_, &TrajectoryPane::liveChanged, this, [this](bool is_live) {
    if (is_live) timeline_.setLive(true);
  });
  connect(cmt_matrix_, &CmtMatrixPane::liveChanged, this, [this](bool is_live) {
    if (is_live) timeline_.setLive(true);
  });
  connect(&timeline_, &StepTimeline::cursorMoved, this, &ViewerPanes::showStep);
  connect(&timeline_, &StepTimeline::liveChanged, this, [this](bool is_live) {
    if (!is_live) return;
    samples_->setLive(true);
    trajectory_->setLive(true);
    cmt_matrix_->setLive(true);
  });
  updateEmptyTexts();
}

void ViewerPanes::setSource(RunSource* source) {
  if (source_) source_->disconnect(this);
  source_ = source;
  const auto loader = source_ ? imageLoaderFor(source_->folder()) : ImageLoader{};
  samples_->setEntries({});
  trajectory_->setEntries({});
  cmt_matrix_->setEntries({});
  samples_->setLoader(loader);
  trajectory_->setLoader(loader);
  samples_taken_ = trajectories_taken_ = matrices_taken_ = {};
  samples_->setLive(true);
  trajectory_->setLive(true);
  cmt_matrix_->setLive(true);
  if (source_) {
    connect(source_, &RunSource::changed, this, &ViewerPanes::update);
    connect(source_, &RunSource::loadingFinished, this, &ViewerPanes::updateEmptyTexts);
    for (const auto kind : {StoreKind::kSamples, StoreKind::kTrajectories, StoreKind::kCmtMatrix}) update(kind);
  }
  updateEmptyTexts();
}

void ViewerPanes::update(StoreKind kind) {
  const int recall = source_->numRecalls();
  if (kind == StoreKind::kSamples) {
    handOver(*samples_, samples_taken_, source_->samples(), recall, [this](std::size_t first) {
      const auto& all = source_->samples();
      std::vector<SampleGridEntry> entries;
      entries.reserve(all.size() - first);
      const SampleGridEntry* previous =
          first > 0 && !samples_->entries().empty() ? &samples_->entries().back() : nullptr;
      for (std::size_t i = first; i < all.size(); ++i) {
        entries.push_back(sampleGridEntry(all[i], previous));
        previous = &entries.back();
      }
      return entries;
    });
  } else if (kind == StoreKind::kTrajectories) {
    handOver(*trajectory_, trajectories_taken_, source_->trajectories(), recall, [this](std::size_t first) {
      const auto& all = source_->trajectories();
      return std::vector<base::TrajectoryReady>(all.begin() + static_cast<std::ptrdiff_t>(first), all.end());
    });
  } else if (kind == StoreKind::kCmtMatrix) {
    handOver(*cmt_matrix_, matrices_taken_, source_->cmtMatrices(), recall, [this](std::size_t first) {
      const auto& all = source_->cmtMatrices();
      return std::vector<base::CmtMatrixReady>(all.begin() + static_cast<std::ptrdiff_t>(first), all.end());
    });
  }
}

void ViewerPanes::updateEmptyTexts() {
  const QString text = !source_               ? tr("No run is open. Run the demo, or open a run folder.")
                       : source_->isLoading() ? tr("Reading the run…")
                                              : QString();
  samples_->setEmptyText(text);
  trajectory_->setEmptyText(text);
  cmt_matrix_->setEmptyText(text);
}

void ViewerPanes::showStep(const QString& stage, qint64 step, bool is_live) {
  if (is_live) return;
  samples_->setStep(stage, step);
  trajectory_->setStep(stage, step);
  cmt_matrix_->setStep(stage, step);
}

}  // namespace meanflow::ui
