// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/score_list.h"

#include <utility>

namespace meanflow::ui {

void ScoreList::setSource(RunSource* source) {
  if (source_) source_->disconnect(this);
  source_ = source;
  runs_.clear();
  seen_evaluations_ = 0;
  if (source_) {
    seen_evaluations_ = source_->metrics().revisions().evaluations;
    connect(source_, &RunSource::changed, this, [this](StoreKind kind) {
      if (kind != StoreKind::kSummary || source_->metrics().revisions().evaluations == seen_evaluations_) return;
      seen_evaluations_ = source_->metrics().revisions().evaluations;
      refresh();
    });
    connect(source_, &RunSource::loadingFinished, this, &ScoreList::refresh);
  }
  refresh();
  Q_EMIT changed();
}

void ScoreList::setOverlays(const QStringList& folders) {
  if (folders == overlays_) return;
  overlays_ = folders;
  refresh();
}

QStringList ScoreList::wantedFolders() const {
  QStringList folders;
  if (source_) folders << source_->folder();
  for (const auto& folder : overlays_)
    if (!folders.contains(folder)) folders << folder;
  return folders;
}

void ScoreList::refresh() {
  const QStringList folders = wantedFolders();
  if (num_readings_ > 0) {
    is_again_wanted_ = true;
    return;
  }
  if (folders.isEmpty()) {
    runs_.clear();
    Q_EMIT changed();
    return;
  }
  ++num_readings_;
  reader_.run(
      this,
      [folders] {
        std::vector<RunScores> runs;
        for (const auto& folder : folders) runs.push_back(readRunScores(folder));
        return runs;
      },
      [this, folders](std::vector<RunScores> runs) {
        --num_readings_;
        if (folders == wantedFolders()) {
          runs_ = std::move(runs);
          if (source_ && !runs_.empty() && runs_.front().folder == source_->folder())
            addReportedMetrics(runs_.front(), source_->metrics().evaluations());
          Q_EMIT changed();
        }
        if (std::exchange(is_again_wanted_, false)) refresh();
      });
}

}  // namespace meanflow::ui
