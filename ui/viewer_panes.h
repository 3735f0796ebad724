// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QObject>
#include <QPointer>

#include "ui/models/run_source.h"

namespace meanflow::ui {

class CmtMatrixPane;
class SampleGridPane;
class StepTimeline;
class TrajectoryPane;

/// The three viewer panes and what ties them to a run and to the step cursor. The panes belong to the widgets they are
/// put into.
class ViewerPanes final : public QObject {
  Q_OBJECT
 public:
  explicit ViewerPanes(StepTimeline& timeline, QObject* parent = nullptr);

  void setSource(RunSource* source);
  SampleGridPane* samples() const { return samples_; }
  TrajectoryPane* trajectory() const { return trajectory_; }
  CmtMatrixPane* cmtMatrix() const { return cmt_matrix_; }

 public Q_SLOTS:
  void showStep(const QString& stage, qint64 step, bool is_live);

 private:
  void update(StoreKind kind);
  void updateEmptyTexts();

  StepTimeline& timeline_;
  QPointer<RunSource> source_;
  SampleGridPane* samples_;
  TrajectoryPane* trajectory_;
  CmtMatrixPane* cmt_matrix_;
  // How much of the source's stores each pane has, and the recall it had them at.
  struct Taken {
    std::size_t count = 0;
    int recall = 0;
  };
  Taken samples_taken_, trajectories_taken_, matrices_taken_;
};

}  // namespace meanflow::ui
