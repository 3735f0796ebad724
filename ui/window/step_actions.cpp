// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/window/step_actions.h"

#include <QAction>
#include <QFileInfo>
#include <algorithm>

#include "ui/config/config_panel.h"
#include "ui/config/new_run_checks.h"
#include "ui/models/run_controller.h"
#include "ui/panels/alarms_panel.h"
#include "ui/panels/checkpoints_panel.h"
#include "ui/panels/replay_strip.h"
#include "ui/panels/runs_panel.h"
#include "ui/panels/step_timeline.h"
#include "ui/theme/format.h"
#include "ui/window/panel_set.h"
#include "ui/window/run_desk.h"
#include "ui/window/window_menus.h"
#include "ui/window/workspace_layout.h"

namespace meanflow::ui {

StepActions::StepActions(const Theme& theme, RunDesk& desk, RunController& controller, WindowMenus& menus,
                         StepTimeline& timeline, PanelSet& panels, WorkspaceLayout& layout, QWidget* window)
    : QObject(window),
      theme_(theme),
      desk_(desk),
      menus_(menus),
      timeline_(timeline),
      panels_(panels),
      layout_(layout),
      window_(window),
      branch_tip_(menus.branch->toolTip()),
      replay_tip_(menus.replay->toolTip()) {
  connect(&controller, &RunController::actionsChanged, this, &StepActions::refresh);
  connect(&timeline_, &StepTimeline::cursorMoved, this, &StepActions::refresh);
  connect(&panels_.config->checks().preflight(), &PreflightJob::changed, this, &StepActions::refresh);
  connect(&replay_, &ReplayJob::changed, this, [this] {
    desk_.setReplay(replay_.isGoing());
    refresh();
  });
  connectActions();
  panels_.replay->setJob(&replay_);
  timeline_.setStepActions({menus_.branch, menus_.replay});
  refresh();
}

void StepActions::connectActions() {
  connect(menus_.branch, &QAction::triggered, this, [this] {
    const auto at = timeline_.cursor();
    askBranch(QString::fromStdString(at.stage), at.step);
  });
  connect(menus_.replay, &QAction::triggered, this, [this] {
    const auto at = timeline_.cursor();
    replay(QString::fromStdString(at.stage), at.step);
  });
  connect(panels_.checkpoints, &CheckpointsPanel::branchRequested, this,
          [this](const QString& stage, qint64 step) { askBranch(stage, step); });
  connect(panels_.alarms, &AlarmsPanel::branchRequested, this, [this](const QString& stage, qint64 bad_step) {
    askBranch(stage, std::max<qint64>(0, bad_step - 1), bad_step);
  });
  connect(panels_.alarms, &AlarmsPanel::replayRequested, this, &StepActions::replay);
}

void StepActions::setHost(base::TrainingHost* host) {
  replay_.setHost(host);
  refresh();
}

void StepActions::setSource(RunSource* source) {
  if (source_) source_->disconnect(this);
  source_ = source;
  if (source_) {
    connect(source_, &RunSource::loadingFinished, this, &StepActions::refresh);
    connect(source_, &RunSource::changed, this, [this](StoreKind kind) {
      if (kind == StoreKind::kSummary) refresh();
    });
  }
  refresh();
}

QString StepActions::runObstacle() const {
  if (!source_) return tr("no run is open");
  if (source_->isForeign()) return tr("the run was recorded by another program and can only be looked at");
  if (source_->isLoading()) return tr("the run is being read");
  return {};
}

QString StepActions::branchObstacle() const {
  if (const QString why = runObstacle(); !why.isEmpty()) return why;
  const auto at = timeline_.cursor();
  if (at.stage.empty()) return tr("the run has no steps yet");
  return canBranchFrom(at.stage) ? QString() : tr("the stage under the cursor trains nothing");
}

QString StepActions::replayObstacle() const {
  if (const QString why = runObstacle(); !why.isEmpty()) return why;
  if (replay_.isGoing()) return tr("a step is being replayed already; wait for what it finds or cancel it");
  if (desk_.hasLiveRun())
    return tr("a run is being trained in this window, and a replay beside it would slow it down; stop it first");
  QString why;
  return desk_.canStart(&why) ? QString() : why;
}

void StepActions::refresh() {
  const auto at = timeline_.cursor();
  const auto offer = [](QAction* action, const QString& tip, const QString& obstacle) {
    action->setEnabled(obstacle.isEmpty());
    const QString text = obstacle.isEmpty() ? tip : tr("%1. Not now: %2.").arg(tip, obstacle);
    action->setToolTip(text);
    action->setStatusTip(text);
  };
  const QString branching = branchObstacle(), replaying = replayObstacle();
  offer(menus_.branch, branch_tip_, branching);
  QString at_cursor = replaying.isEmpty() ? branching : replaying;
  if (at_cursor.isEmpty() && at.step < 1) at_cursor = tr("no step has been made at the cursor; steps count from 1");
  offer(menus_.replay, replay_tip_, at_cursor);
  panels_.alarms->setObstacles(runObstacle(), replaying);
  if (!dialog_) return;
  QString why;
  dialog_->setStartObstacle(desk_.canStart(&why) ? QString() : why);
}

void StepActions::askBranch(const QString& stage, qint64 step, qint64 skip_step) {
  if (dialog_ || !runObstacle().isEmpty()) return;
  open(new BranchDialog(theme_, {source_->folder().toStdString(), stage.toStdString(), step}, skip_step, window_));
}

void StepActions::askBranchLike(const QueuedRun& queued) {
  if (dialog_ || !queued.branch) return;
  const auto& runs = desk_.queue().runs();
  const auto is_taken = [&](const QString& folder) {
    return QFileInfo::exists(folder) ||
           std::any_of(runs.begin(), runs.end(), [&](const QueuedRun& each) { return each.folder == folder; });
  };
  QString folder = queued.folder;
  for (int i = 2; is_taken(folder); ++i) folder = QStringLiteral("%1-%2").arg(queued.folder).arg(i);
  auto* ask = new BranchDialog(theme_, *queued.branch, 0, window_);
  ask->propose(folder, queued.overrides);
  open(ask);
}

void StepActions::open(BranchDialog* ask) {
  dialog_ = ask;
  connect(dialog_, &BranchDialog::startRequested, this, [this, ask] { start(ask); });
  connect(dialog_, &BranchDialog::queueRequested, this, [this, ask] {
    desk_.queue().addBranch(ask->request());
    ask->accept();
    layout_.bringUp(QStringLiteral("runs"));
  });
  refresh();
  dialog_->open();
}

void StepActions::start(BranchDialog* ask) {
  const auto request = ask->request();
  if (const QString why = desk_.startBranch(request); !why.isEmpty()) return ask->showRefusal(why);
  ask->accept();
  // What the changes do is seen against the run that goes without them.
  panels_.runs->overlay(QString::fromStdString(request.branch->parent));
}

void StepActions::replay(const QString& stage, qint64 step) {
  if (!replayObstacle().isEmpty()) return;
  layout_.bringUp(QStringLiteral("alarms"));
  replay_.start({source_->folder().toStdString(), stage.toStdString(), step});
}

}  // namespace meanflow::ui
