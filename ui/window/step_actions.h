// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QObject>
#include <QPointer>
#include <QString>

#include "ui/config/branch_dialog.h"
#include "ui/models/replay_job.h"
#include "ui/models/run_source.h"

namespace meanflow::ui {

class PanelSet;
struct QueuedRun;
class RunController;
class RunDesk;
class StepTimeline;
class Theme;
class WindowMenus;
class WorkspaceLayout;

/// What can be done with one step of the run on show: a new run that leaves it there, and a replay of the step. Asked
/// for by the menu and the time line (the step under the cursor), by a checkpoint or by an alarm; knows what stands in
/// the way and says so in the actions' tips.
class StepActions final : public QObject {
  Q_OBJECT
 public:
  StepActions(const Theme& theme, RunDesk& desk, RunController& controller, WindowMenus& menus, StepTimeline& timeline,
              PanelSet& panels, WorkspaceLayout& layout, QWidget* window);

  void setHost(base::TrainingHost* host);           ///< Null: none. Must be told before the host goes.
  void setSource(RunSource* source);                ///< The run on show; null: none.
  BranchDialog* dialog() const { return dialog_; }  ///< Null when none is open.
  const ReplayJob& replayJob() const { return replay_; }

  /// `skip_step`: to be passed over by the branch; 0: none.
  void askBranch(const QString& stage, qint64 step, qint64 skip_step = 0);
  /// The dialog filled in as a queued branch was asked for, whichever run is on show; under another name.
  void askBranchLike(const QueuedRun& queued);
  void replay(const QString& stage, qint64 step);

 private:
  void connectActions();
  void refresh();
  void open(BranchDialog* ask);
  void start(BranchDialog* ask);
  QString runObstacle() const;
  QString branchObstacle() const;
  QString replayObstacle() const;

  const Theme& theme_;
  RunDesk& desk_;
  WindowMenus& menus_;
  StepTimeline& timeline_;
  PanelSet& panels_;
  WorkspaceLayout& layout_;
  QWidget* window_;
  QPointer<RunSource> source_;
  ReplayJob replay_;
  QPointer<BranchDialog> dialog_;
  QString branch_tip_, replay_tip_;  ///< Of the actions while nothing stands in the way.
};

}  // namespace meanflow::ui
