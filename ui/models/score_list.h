// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QObject>
#include <QPointer>
#include <QStringList>
#include <cstdint>
#include <vector>

#include "ui/models/run_scores.h"
#include "ui/models/run_source.h"
#include "ui/models/studio_state.h"

namespace meanflow::ui {

/// The scores of the run on show and of those laid beside it, read on another thread and again when the run says that
/// it has evaluated. UI thread.
class ScoreList final : public QObject {
  Q_OBJECT
 public:
  explicit ScoreList(QObject* parent = nullptr) : QObject(parent) {}

  void setSource(RunSource* source);
  void setOverlays(const QStringList& folders);
  /// The run on show first (if there is one), then the others; empty until the first reading.
  const std::vector<RunScores>& runs() const { return runs_; }
  bool isLoading() const { return num_readings_ > 0 && runs_.empty(); }
  RunSource* source() const { return source_; }

 public Q_SLOTS:
  void refresh();

 Q_SIGNALS:
  void changed();

 private:
  QStringList wantedFolders() const;

  QPointer<RunSource> source_;
  QStringList overlays_;
  std::vector<RunScores> runs_;
  int num_readings_ = 0;
  bool is_again_wanted_ = false;
  std::uint64_t seen_evaluations_ = 0;
  Background reader_;
};

}  // namespace meanflow::ui
