// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/window/workspace_layout.h"

#include <QAction>
#include <QChildEvent>
#include <QDockWidget>
#include <QMainWindow>
#include <QSettings>
#include <QTabBar>
#include <algorithm>

namespace meanflow::ui {
namespace {

constexpr int kLayoutVersion = 5;
constexpr int kPipelineWidth = 300;
const QString kPerspectiveKey = QStringLiteral("perspective");

QString layoutKey(Perspective perspective) {
  static constexpr const char* kNames[] = {"train", "diagnose", "sample", "evaluate"};
  return QStringLiteral("layout/") + QLatin1String(kNames[static_cast<int>(perspective)]);
}

}  // namespace

WorkspaceLayout::WorkspaceLayout(QSettings& settings, QObject* parent)
    : QObject(parent), settings_(settings), workspace_(new QMainWindow) {
  workspace_->setWindowFlags(Qt::Widget);
  workspace_->installEventFilter(this);
  workspace_->setDockNestingEnabled(true);
  workspace_->setDockOptions(QMainWindow::AnimatedDocks | QMainWindow::AllowNestedDocks |
                             QMainWindow::AllowTabbedDocks);
  perspective_ =
      static_cast<Perspective>(std::clamp(settings_.value(kPerspectiveKey, 0).toInt(), 0, kNumPerspectives - 1));
}

QDockWidget* WorkspaceLayout::addDock(const QString& name, const QString& title, QWidget* content, const QString& tip) {
  auto* dock = new QDockWidget(title, workspace_);
  dock->setObjectName(name);
  dock->setWidget(content);
  dock->setToolTip(QString());
  dock->toggleViewAction()->setToolTip(tip);
  dock->toggleViewAction()->setStatusTip(tip);
  docks_.push_back(dock);
  return dock;
}

QDockWidget* WorkspaceLayout::find(const QString& name) const {
  const auto at =
      std::find_if(docks_.begin(), docks_.end(), [&](const auto* dock) { return dock->objectName() == name; });
  return at == docks_.end() ? nullptr : *at;
}

void WorkspaceLayout::bringUp(const QString& name) {
  auto* dock = find(name);
  if (!dock) return;
  dock->show();
  dock->raise();
  if (auto* content = dock->widget()) {
    content->setFocus(Qt::ShortcutFocusReason);
    if (content->focusPolicy() == Qt::NoFocus) {
      for (auto* next = content->nextInFocusChain(); next && content->isAncestorOf(next);
           next = next->nextInFocusChain()) {
        if (!(next->focusPolicy() & Qt::TabFocus) || !next->isEnabled() || !next->isVisible()) continue;
        next->setFocus(Qt::ShortcutFocusReason);
        break;
      }
    }
  }
}

void WorkspaceLayout::show(std::initializer_list<const char*> names) {
  for (const auto* name : names) find(QLatin1String(name))->show();
}

void WorkspaceLayout::split(const char* first, const char* second, Qt::Orientation orientation) {
  workspace_->splitDockWidget(find(QLatin1String(first)), find(QLatin1String(second)), orientation);
}

void WorkspaceLayout::stack(const char* front, std::initializer_list<const char*> behind) {
  for (const auto* name : behind) workspace_->tabifyDockWidget(find(QLatin1String(front)), find(QLatin1String(name)));
}

void WorkspaceLayout::takeApart() {
  // Every panel has a place in every perspective, hidden or not: a layout kept without one would not put it away again.
  for (auto* dock : docks_) {
    dock->setFloating(false);
    workspace_->removeDockWidget(dock);
    workspace_->addDockWidget(Qt::LeftDockWidgetArea, dock);
    dock->hide();
  }
}

void WorkspaceLayout::enterForNewRun() {
  is_ready_ = false;
  takeApart();
  split("runs", "config", Qt::Horizontal);
  show({"runs", "config"});
  workspace_->resizeDocks({find(QStringLiteral("runs")), find(QStringLiteral("config"))},
                          {kPipelineWidth, workspace_->width() - kPipelineWidth}, Qt::Horizontal);
}

void WorkspaceLayout::layOut(Perspective perspective) {
  takeApart();
  const int rest = workspace_->width() - kPipelineWidth;
  const int height = workspace_->height();
  const auto widths = [&](const char* middle, const char* right, int middle_share) {
    workspace_->resizeDocks({find(QStringLiteral("pipeline")), find(QLatin1String(middle)), find(QLatin1String(right))},
                            {kPipelineWidth, rest * middle_share / 100, rest * (100 - middle_share) / 100},
                            Qt::Horizontal);
  };
  switch (perspective) {
    case Perspective::kTrain:
      split("pipeline", "samples", Qt::Horizontal);
      split("samples", "curves", Qt::Horizontal);
      split("curves", "log", Qt::Vertical);
      stack("samples", {"trajectory", "cmt", "class_grids", "config", "checkpoints", "evaluation", "data"});
      stack("log", {"system", "alarms"});
      stack("curves", {"gradients", "time_figures", "bias_variance", "finite_difference", "class_map"});
      stack("pipeline", {"runs"});
      show({"pipeline", "samples", "curves", "log", "system", "trajectory", "cmt", "runs"});
      widths("samples", "curves", 48);
      workspace_->resizeDocks({find(QStringLiteral("curves")), find(QStringLiteral("log"))},
                              {height * 70 / 100, height * 30 / 100}, Qt::Vertical);
      break;
    case Perspective::kDiagnose:
      split("pipeline", "curves", Qt::Horizontal);
      split("curves", "bias_variance", Qt::Horizontal);
      split("bias_variance", "cmt", Qt::Vertical);
      stack("curves", {"gradients", "time_figures", "alarms", "log", "system"});
      stack("bias_variance", {"finite_difference"});
      stack("cmt",
            {"samples", "trajectory", "class_grids", "class_map", "config", "checkpoints", "evaluation", "data"});
      stack("pipeline", {"runs"});
      show({"pipeline", "curves", "gradients", "time_figures", "alarms", "bias_variance", "finite_difference", "cmt",
            "log", "system"});
      widths("curves", "bias_variance", 58);
      break;
    case Perspective::kSample:
      split("pipeline", "class_grids", Qt::Horizontal);
      split("class_grids", "samples", Qt::Horizontal);
      stack("samples",
            {"trajectory", "cmt", "curves", "log", "config", "checkpoints", "system", "gradients", "bias_variance",
             "class_map", "evaluation", "data", "alarms", "finite_difference", "time_figures"});
      stack("pipeline", {"runs"});
      show({"pipeline", "class_grids", "samples", "trajectory", "checkpoints", "runs"});
      widths("class_grids", "samples", 66);
      break;
    case Perspective::kEvaluate:
      split("runs", "evaluation", Qt::Horizontal);
      split("evaluation", "samples", Qt::Horizontal);
      stack("samples", {"class_grids", "class_map", "data", "trajectory", "cmt"});
      split("evaluation", "checkpoints", Qt::Vertical);
      stack("evaluation", {"curves", "log", "config", "system", "gradients", "bias_variance", "alarms",
                           "finite_difference", "time_figures"});
      stack("runs", {"pipeline"});
      show({"runs", "evaluation", "curves", "checkpoints", "samples", "data", "class_grids", "class_map", "pipeline"});
      workspace_->resizeDocks(
          {find(QStringLiteral("runs")), find(QStringLiteral("evaluation")), find(QStringLiteral("samples"))},
          {kPipelineWidth, rest * 62 / 100, rest * 38 / 100}, Qt::Horizontal);
      workspace_->resizeDocks({find(QStringLiteral("evaluation")), find(QStringLiteral("checkpoints"))},
                              {height * 70 / 100, height * 30 / 100}, Qt::Vertical);
      break;
  }
  for (const char* front : {"samples", "pipeline", "runs", "curves", "class_grids", "log", "gradients", "bias_variance",
                            "class_map", "evaluation"}) {
    const bool leads =
        perspective == Perspective::kEvaluate ? qstrcmp(front, "pipeline") != 0 : qstrcmp(front, "runs") != 0;
    auto* dock = find(QLatin1String(front));
    const bool is_behind = qstrcmp(front, "class_grids") == 0 && perspective != Perspective::kSample;
    if (leads && !is_behind && !dock->isHidden()) dock->raise();
  }
}

void WorkspaceLayout::save() {
  if (is_ready_) settings_.setValue(layoutKey(perspective_), workspace_->saveState(kLayoutVersion));
  settings_.setValue(kPerspectiveKey, static_cast<int>(perspective_));
}

void WorkspaceLayout::enter() {
  const auto state = settings_.value(layoutKey(perspective_)).toByteArray();
  // Shown all at once on the way, the panels would make the window wider than it was.
  for (auto* dock : docks_) dock->hide();
  if (state.isEmpty() || !workspace_->restoreState(state, kLayoutVersion)) layOut(perspective_);
  is_ready_ = true;
}

bool WorkspaceLayout::eventFilter(QObject* watched, QEvent* event) {
  if (watched == workspace_ && event->type() == QEvent::ChildPolished) {
    if (auto* tabs = qobject_cast<QTabBar*>(static_cast<QChildEvent*>(event)->child()))
      tabs->setAccessibleName(tr("Panels in this place"));
  }
  return QObject::eventFilter(watched, event);
}

void WorkspaceLayout::setPerspective(Perspective perspective) {
  save();
  perspective_ = perspective;
  settings_.setValue(kPerspectiveKey, static_cast<int>(perspective_));
  if (is_ready_) enter();
}

void WorkspaceLayout::putBack() {
  settings_.remove(layoutKey(perspective_));
  layOut(perspective_);
}

}  // namespace meanflow::ui
