// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/alarms_panel.h"

#include <QAction>
#include <QDir>
#include <QFileInfo>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QLabel>
#include <QPushButton>
#include <QSplitter>
#include <QTextBrowser>
#include <QTreeWidget>
#include <QVBoxLayout>
#include <cmath>

#include "ui/theme/format.h"
#include "ui/theme/theme.h"

namespace meanflow::ui {
namespace {

enum AlarmColumn { kAlarmStep, kAlarmStage, kAlarmKind, kAlarmFigure, kAlarmValue, kAlarmAction, kNumAlarmColumns };

QColor ThemeColors::*inkOf(const AlarmRow& row) {
  if (!row.alarm) return &ThemeColors::accent;
  return alarmWeight(row.alarm->action) == AlarmWeight::kWarning ? &ThemeColors::warning : &ThemeColors::bad;
}

const char* iconOf(const AlarmRow& row) {
  if (!row.alarm) return "search";
  switch (alarmWeight(row.alarm->action)) {
    case AlarmWeight::kWarning:
      return "warning";
    case AlarmWeight::kSkipped:
      return "next";
    case AlarmWeight::kGrave:
      break;
  }
  return row.alarm->action == "roll_back" ? "undo" : "stop";
}

}  // namespace

AlarmsPanel::AlarmsPanel(const Theme& theme, QWidget* parent)
    : StepPanel(StoreKind::kAlarms, theme, QStringLiteral("warning"), parent),
      theme_(theme),
      count_(new QLabel),
      list_(new QTreeWidget),
      details_(new QTextBrowser),
      report_(new QPushButton(theme.icon(QStringLiteral("folder")), tr("Open the report"))) {
  setAccessibleName(tr("Alarms"));
  count_->setProperty("muted", true);
  count_->setWordWrap(true);
  count_->setContentsMargins(8, 5, 8, 2);
  list_->setAccessibleName(tr("Alarms, newest first"));
  list_->setToolTip(tr("Choosing an alarm moves the step cursor to it"));
  list_->setHeaderLabels({tr("Step"), tr("Stage"), tr("Kind"), tr("Figure"), tr("Value"), tr("What was done")});
  list_->setRootIsDecorated(false);
  list_->setUniformRowHeights(true);
  list_->setAllColumnsShowFocus(true);
  details_->setAccessibleName(tr("The chosen alarm"));
  details_->setOpenLinks(false);
  details_->setTabChangesFocus(true);
  details_->setMinimumHeight(70);
  report_->setAccessibleName(tr("Open the report of the diagnosis"));
  auto* below = new QWidget;
  auto* column = new QVBoxLayout(below);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(4);
  column->addWidget(details_, 1);
  auto* branch = new QPushButton;
  auto* replay = new QPushButton;
  auto* buttons = new QHBoxLayout;
  for (auto* button : {branch, replay, report_}) buttons->addWidget(button);
  buttons->addStretch(1);
  column->addLayout(buttons);
  list_->setContextMenuPolicy(Qt::ActionsContextMenu);
  branch_ = addAction("branch", tr("Branch from before it…"), QKeySequence(tr("Ctrl+Alt+B")), branch,
                      &AlarmsPanel::branchRequested);
  replay_ = addAction("replay", tr("Replay this step"), QKeySequence(tr("Ctrl+Alt+R")), replay,
                      &AlarmsPanel::replayRequested);
  auto* both = new QSplitter(Qt::Vertical);
  both->addWidget(list_);
  both->addWidget(below);
  both->setStretchFactor(0, 3);
  both->setStretchFactor(1, 2);
  both->setSizes({220, 180});
  both->setChildrenCollapsible(false);
  auto* page = makeContent();
  page->setContentsMargins(5, 0, 5, 5);
  page->addWidget(count_);
  page->addWidget(both, 1);

  connect(list_, &QTreeWidget::currentItemChanged, this, [this](QTreeWidgetItem* item) {
    const int row = item ? list_->indexOfTopLevelItem(item) : -1;
    present(row);
    if (row < 0) return;
    const auto& chosen = rows_[static_cast<std::size_t>(row)];
    if (chosen.stage() != stage() || chosen.step() != step())
      Q_EMIT stepPicked(QString::fromStdString(chosen.stage()), chosen.step());
  });
  connect(report_, &QPushButton::clicked, this, [this] {
    if (chosen_ >= 0) Q_EMIT openRequested(reportFolder(rows_[static_cast<std::size_t>(chosen_)]));
  });
  connect(&theme_, &Theme::changed, this, [this] {
    shown_revision_.reset();
    refreshSoon();
  });
  refresh();
}

QAction* AlarmsPanel::addAction(const char* icon, const QString& name, const QKeySequence& key, QPushButton* button,
                                void (AlarmsPanel::*wanted)(const QString&, qint64)) {
  auto* action = new QAction(theme_.icon(QLatin1String(icon)), name, list_);
  action->setShortcut(key);
  action->setShortcutContext(Qt::WidgetShortcut);
  list_->addAction(action);
  button->setText(name);
  button->setIcon(action->icon());
  button->setAccessibleName(name);
  connect(button, &QPushButton::clicked, action, &QAction::trigger);
  connect(action, &QAction::changed, button, [action, button] {
    button->setEnabled(action->isEnabled());
    button->setToolTip(action->toolTip());
  });
  connect(action, &QAction::triggered, this, [this, wanted] {
    if (chosen_ < 0) return;
    const auto& row = rows_[static_cast<std::size_t>(chosen_)];
    Q_EMIT(this->*wanted)(QString::fromStdString(row.stage()), badStep(row));
  });
  return action;
}

void AlarmsPanel::setObstacles(const QString& branching, const QString& replaying) {
  branch_obstacle_ = branching;
  replay_obstacle_ = replaying;
  refreshActions();
}

void AlarmsPanel::refreshActions() {
  const auto offer = [this](QAction* action, const QString& what, QString obstacle) {
    if (chosen_ < 0) obstacle = tr("choose an alarm first");
    action->setEnabled(obstacle.isEmpty());
    action->setToolTip(obstacle.isEmpty()
                           ? tr("%1 (%2)").arg(what, action->shortcut().toString(QKeySequence::NativeText))
                           : tr("%1: %2").arg(what, obstacle));
  };
  const QString step = chosen_ < 0 ? QString() : formatCount(badStep(rows_[static_cast<std::size_t>(chosen_)]));
  offer(branch_, tr("A new run from the step before, which passes over step %1").arg(step), branch_obstacle_);
  offer(replay_, tr("Trains up to step %1 again and looks into every operation of it").arg(step), replay_obstacle_);
}

int AlarmsPanel::numRows() const { return list_->topLevelItemCount(); }

QString AlarmsPanel::details() const { return details_->toPlainText(); }

void AlarmsPanel::refresh() {
  if (!source()) {
    rows_.clear();
    const QSignalBlocker blocker(list_);
    list_->clear();
    present(-1);
  } else if (const auto revision = source()->metrics().revisions().alarms; shown_revision_ != revision) {
    fill();
    shown_revision_ = revision;
  }
  rows_.empty() ? explainNothing() : showContent();
  chooseAtCursor();
}

void AlarmsPanel::fill() {
  rows_ = alarmRows(source()->metrics());
  const auto num_all = rows_.size();
  if (rows_.size() > kMost) rows_.resize(kMost);
  int num_skipped = 0;
  for (const auto& row : rows_)
    if (row.alarm && alarmWeight(row.alarm->action) == AlarmWeight::kSkipped) ++num_skipped;
  const QSignalBlocker blocker(list_);
  list_->clear();
  for (const auto& row : rows_) {
    auto* item = new QTreeWidgetItem;
    item->setText(kAlarmStep, formatCount(row.step()));
    item->setText(kAlarmStage, stageTitle(row.stage()));
    item->setText(kAlarmKind, row.alarm ? alarmKindText(row.alarm->kind) : tr("Diagnosis"));
    if (row.alarm) {
      item->setText(kAlarmFigure, alarmFigureText(row.alarm->figure));
      item->setText(kAlarmValue, alarmValueText(*row.alarm));
      item->setText(kAlarmAction, alarmActionText(row.alarm->action));
    }
    item->setIcon(kAlarmStep, theme_.icon(QLatin1String(iconOf(row)), inkOf(row)));
    item->setForeground(kAlarmAction, theme_.colors().*inkOf(row));
    const QString text = row.alarm ? alarmLine(*row.alarm) : diagnosisLine(*row.diagnosis);
    for (int c = 0; c < kNumAlarmColumns; ++c) item->setToolTip(c, text);
    item->setData(kAlarmStep, Qt::AccessibleTextRole, text);
    list_->addTopLevelItem(item);
  }
  for (int c = 0; c + 1 < kNumAlarmColumns; ++c) list_->resizeColumnToContents(c);
  QString text = tr("Alarms: %1").arg(formatCount(static_cast<std::int64_t>(num_all)));
  if (num_skipped > 0) text += tr(" · skipped steps: %1").arg(formatCount(num_skipped));
  if (num_all > rows_.size()) text += tr(" · the newest %1 are listed").arg(formatCount(kMost));
  count_->setText(text);
}

void AlarmsPanel::chooseAtCursor() {
  int at = -1;
  for (std::size_t i = 0; i < rows_.size() && at < 0; ++i)
    if (rows_[i].stage() == stage() && rows_[i].step() == step()) at = static_cast<int>(i);
  // Without one at the cursor the newest is explained, or what a person had chosen.
  const QSignalBlocker blocker(list_);
  if (at < 0 && list_->currentItem()) at = list_->indexOfTopLevelItem(list_->currentItem());
  if (at < 0 && !rows_.empty()) at = 0;
  const auto* current = at >= 0 ? list_->topLevelItem(at) : nullptr;
  if (current && current != list_->currentItem()) list_->setCurrentItem(list_->topLevelItem(at));
  present(at);
}

void AlarmsPanel::present(int row) {
  chosen_ = row;
  refreshActions();
  if (row < 0) {
    details_->clear();
    report_->setVisible(false);
    return;
  }
  const auto& chosen = rows_[static_cast<std::size_t>(row)];
  if (const QString text = html(chosen); text != details_->property("shown").toString()) {
    details_->setHtml(text);
    details_->setProperty("shown", text);
  }
  const QString folder = reportFolder(chosen);
  report_->setVisible(!folder.isEmpty());
  const bool is_there = !folder.isEmpty() && QFileInfo(folder).isDir();
  report_->setEnabled(is_there);
  report_->setToolTip(is_there ? tr("The folder %1, with report.md").arg(folder)
                               : tr("The folder %1 is not there").arg(folder));
}

QString AlarmsPanel::reportFolder(const AlarmRow& row) const {
  if (!source() || !row.diagnosis || row.diagnosis->report.empty()) return {};
  // As a rule relative to the run's folder; of a replay made on demand absolute.
  return QDir(source()->folder()).absoluteFilePath(QString::fromStdString(row.diagnosis->report));
}

QString AlarmsPanel::html(const AlarmRow& row) const {
  const auto paragraph = [](const QString& text) { return QStringLiteral("<p>%1</p>").arg(text.toHtmlEscaped()); };
  const auto heading = [](const QString& text) { return QStringLiteral("<p><b>%1</b></p>").arg(text.toHtmlEscaped()); };
  const auto table = [](const std::vector<std::pair<QString, QString>>& facts) {
    QString text = QStringLiteral("<table>");
    for (const auto& [name, value] : facts)
      text += QStringLiteral("<tr><td style='padding-right:10px'>%1</td><td>%2</td></tr>")
                  .arg(name.toHtmlEscaped(), value.toHtmlEscaped());
    return text + QStringLiteral("</table>");
  };
  QString text;
  if (row.alarm) {
    text += heading(tr("%1: %2, step %3 of %4")
                        .arg(alarmKindText(row.alarm->kind), alarmActionText(row.alarm->action),
                             formatCount(row.alarm->step), stageTitle(row.alarm->stage)));
    if (!row.alarm->text.empty()) text += paragraph(QString::fromStdString(row.alarm->text));
    text += paragraph(tr("%1: %2").arg(alarmFigureText(row.alarm->figure), alarmValueText(*row.alarm)));
  }
  if (row.diagnosis) {
    text += heading(tr("Diagnosis"));
    text += paragraph(QString::fromStdString(row.diagnosis->text));
    if (std::isfinite(row.diagnosis->replay_error))
      text += paragraph(row.diagnosis->replay_error == 0
                            ? tr("The replay gave the recorded losses to the bit.")
                            : tr("The replay's losses are within a relative %1 of the recorded ones.")
                                  .arg(formatNumber(row.diagnosis->replay_error)));
  }
  // The replay knows more than what was known when the alarm was raised.
  auto facts = row.diagnosis ? originFacts(row.diagnosis->origin) : std::vector<std::pair<QString, QString>>{};
  if (facts.empty() && row.alarm) facts = originFacts(row.alarm->origin);
  text += heading(tr("Where it came from"));
  text += facts.empty() ? paragraph(tr("Not known.")) : table(facts);
  if (!row.diagnosis) text += paragraph(tr("No replay of this step has been recorded."));
  return text;
}

void AlarmsPanel::explainNothing() {
  if (!source())
    showNothing(tr("No run is open"), tr("What leaves its normal range in a run appears here once one is open."));
  else if (source()->isLoading())
    showNothing(tr("Reading the run…"), tr("Alarms appear as soon as they are read."));
  else if (source()->isForeign())
    showNothing(tr("This run was recorded by another program"),
                tr("It has no alarms of its own; spikes of its curves are listed in the panel Gradients."));
  else
    showNothing(tr("No alarm so far"),
                tr("Nothing that the run watches has left its normal range: losses and gradients that are not "
                   "finite or explode, spikes, large updates, AdamW's moments, the finite difference. What is "
                   "watched, and what is done about it, is set under diagnostics in the configuration."));
}

}  // namespace meanflow::ui
