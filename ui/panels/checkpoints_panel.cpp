// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/checkpoints_panel.h"

#include <QAction>
#include <QApplication>
#include <QClipboard>
#include <QDateTime>
#include <QDesktopServices>
#include <QDir>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QLabel>
#include <QLocale>
#include <QMessageBox>
#include <QPushButton>
#include <QStackedLayout>
#include <QToolButton>
#include <QTreeWidget>
#include <QVBoxLayout>
#include <algorithm>
#include <mutex>

#include "ui/config/branch_plan.h"
#include "ui/panels/class_grid_controls.h"
#include "ui/panels/empty_state.h"
#include "ui/panels/export_dialog.h"
#include "ui/panels/panel_layout.h"
#include "ui/theme/format.h"
#include "ui/theme/theme.h"

namespace meanflow::ui {
namespace {

enum Column { kStage, kStep, kSize, kWritten, kValues, kScore, kNumColumns };

struct HealthLook {
  QString text, tip;
  const char* icon;
  QColor ThemeColors::*ink;
};

HealthLook lookOf(const CheckpointCard& card) {
  const auto say = [](const char* text) { return CheckpointsPanel::tr(text); };
  if (!card.facts.problem.empty())
    return {say("incomplete"), QString::fromStdString(card.facts.problem), "fail", &ThemeColors::warning};
  switch (card.values) {
    case ValueHealth::kFinite:
      return {say("finite"),
              card.was_read ? say("All values were read just now and are finite")
                            : say("Every value was finite when it was written; Check reads them again"),
              "check", &ThemeColors::good};
    case ValueHealth::kNotFinite:
      return {say("not finite"), card.finding, "fail", &ThemeColors::bad};
    case ValueHealth::kUnreadable:
      return {say("damaged"), card.finding, "fail", &ThemeColors::bad};
    case ValueHealth::kChecking:
      return {say("reading…"), say("All values are being read"), "wait", &ThemeColors::accent};
    case ValueHealth::kUnknown:
      break;
  }
  return {say("not checked"), say("Check reads all values"), "wait", &ThemeColors::idle};
}

QString titleOf(const CheckpointCard& card) { return checkpointTitle(card.path()); }

}  // namespace

/// Where the outcome of an export waits for the panel, which may be gone by then.
struct CheckpointsPanel::ExportMail {
  std::mutex mutex;
  CheckpointsPanel* owner = nullptr;
};

CheckpointsPanel::CheckpointsPanel(const Theme& theme, QWidget* parent)
    : QWidget(parent),
      theme_(theme),
      mail_(std::make_shared<ExportMail>()),
      open_url_([](const QUrl& url) { return QDesktopServices::openUrl(url); }),
      banner_(new Banner(theme, true)),
      tree_(new QTreeWidget),
      empty_(new EmptyState(theme, QStringLiteral("save"))),
      stack_(new QStackedLayout),
      summary_(new QLabel) {
  mail_->owner = this;
  setAccessibleName(tr("Checkpoints"));
  tree_->setAccessibleName(tr("Checkpoints of the run"));
  tree_->setToolTip(QString());
  tree_->setColumnCount(kNumColumns);
  tree_->setHeaderLabels({tr("Stage"), tr("Step"), tr("Size"), tr("Written"), tr("Values"), tr("Score")});
  tree_->setRootIsDecorated(false);
  tree_->setUniformRowHeights(true);
  tree_->setAllColumnsShowFocus(true);
  tree_->setSelectionMode(QAbstractItemView::ExtendedSelection);
  tree_->setTextElideMode(Qt::ElideRight);
  tree_->header()->setStretchLastSection(true);
  tree_->setIconSize(QSize(15, 15));
  tree_->setContextMenuPolicy(Qt::ActionsContextMenu);

  auto* tools = new QHBoxLayout;
  tools->setSpacing(4);
  sample_ = addAction("grid", tr("Make images with it"), tr("Opens the class grids with this checkpoint"),
                      QKeySequence(tr("Ctrl+G")), &CheckpointsPanel::sample);
  compare_ = addAction("compare", tr("Compare two"), tr("Both on the same noises, under a wipe in the class grids"),
                       QKeySequence(tr("Ctrl+Alt+C")), &CheckpointsPanel::compare);
  branch_ = addAction("branch", tr("Branch from here…"), tr("A new run that goes on from it with other settings"),
                      QKeySequence(tr("Ctrl+Alt+B")), &CheckpointsPanel::branch);
  check_ = addAction("check", tr("Check the values"), tr("Reads every value in the chosen checkpoints"),
                     QKeySequence(tr("Ctrl+Alt+V")), &CheckpointsPanel::check);
  export_ = addAction("export", tr("Export…"), tr("Writes it for Python or Hugging Face"),
                      QKeySequence(tr("Ctrl+Alt+E")), &CheckpointsPanel::askExport);
  reveal_ = addAction("folder", tr("Show in the file manager"), tr("Opens its folder"), QKeySequence(tr("Ctrl+Alt+O")),
                      &CheckpointsPanel::reveal);
  copy_ = addAction("copy", tr("Copy the path"), tr("Puts its whole path on the clipboard"), QKeySequence::Copy,
                    &CheckpointsPanel::copyPath);
  delete_ = addAction("discard", tr("Delete…"), tr("Takes the chosen checkpoints off the disk, after a question"),
                      QKeySequence::Delete, &CheckpointsPanel::askDelete);
  for (auto* button : buttons_) tools->addWidget(button);
  tools->addStretch(1);
  summary_->setProperty("muted", true);
  summary_->setWordWrap(true);
  layOutPanel(*this, banner_, tools, *stack_, tree_, empty_)->addWidget(summary_);

  connect(tree_, &QTreeWidget::itemSelectionChanged, this, &CheckpointsPanel::refreshActions);
  connect(tree_, &QTreeWidget::itemActivated, this, [this] {
    if (sample_->isEnabled()) sample();
  });
  connect(&list_, &CheckpointList::changed, this, &CheckpointsPanel::present);
  connect(&list_, &CheckpointList::failed, this, [this](const QString& why) { banner_->showMessage(why, true); });
  connect(&theme_, &Theme::changed, this, &CheckpointsPanel::present);
  present();
}

CheckpointsPanel::~CheckpointsPanel() {
  const std::lock_guard lock(mail_->mutex);
  mail_->owner = nullptr;
}

QAction* CheckpointsPanel::addAction(const char* icon, const QString& name, const QString& tip, const QKeySequence& key,
                                     void (CheckpointsPanel::*act)()) {
  auto* action = new QAction(theme_.icon(QLatin1String(icon)), name, tree_);
  action->setShortcut(key);
  action->setShortcutContext(Qt::WidgetShortcut);
  action->setStatusTip(tip);
  tree_->addAction(action);
  connect(action, &QAction::triggered, this, act);
  auto* button = new QToolButton;
  button->setIcon(action->icon());
  button->setProperty("framed", true);
  button->setFocusPolicy(Qt::StrongFocus);
  button->setAccessibleName(name);
  connect(button, &QToolButton::clicked, action, &QAction::trigger);
  connect(action, &QAction::changed, button, [action, button] {
    button->setEnabled(action->isEnabled());
    button->setToolTip(action->toolTip());
  });
  buttons_.push_back(button);
  return action;
}

void CheckpointsPanel::setHost(base::TrainingHost* host) {
  host_ = host;
  refreshActions();
}

void CheckpointsPanel::setSource(RunSource* source) {
  if (source_) source_->disconnect(this);
  source_ = source;
  banner_->hide();
  if (source_) {
    connect(source_, &QObject::destroyed, this, [this] { source_ = nullptr; });
    connect(source_, &RunSource::loadingFinished, this, &CheckpointsPanel::present);
  }
  list_.setSource(source);
}

QString CheckpointsPanel::message() const { return banner_->isVisibleTo(this) ? banner_->message() : QString(); }

void CheckpointsPanel::showEvent(QShowEvent* event) {
  QWidget::showEvent(event);
  list_.refresh();  // other programs write and delete, too
}

std::vector<const CheckpointCard*> CheckpointsPanel::chosen() const {
  std::vector<const CheckpointCard*> cards;
  for (int row = 0; row < tree_->topLevelItemCount(); ++row) {
    const auto* item = tree_->topLevelItem(row);
    if (!item->isSelected()) continue;
    if (const auto* card = list_.find(item->data(0, Qt::UserRole).toString())) cards.push_back(card);
  }
  return cards;
}

QString CheckpointsPanel::absolutePath(const CheckpointCard& card) const {
  return QDir::cleanPath(list_.folder() + QLatin1Char('/') + card.path());
}

void CheckpointsPanel::present() {
  {
    const QSignalBlocker blocker(tree_);
    QStringList selected;
    for (const auto* item : tree_->selectedItems()) selected << item->data(0, Qt::UserRole).toString();
    const QString current = tree_->currentItem() ? tree_->currentItem()->data(0, Qt::UserRole).toString() : QString();
    const auto& cards = list_.cards();
    const bool is_first = tree_->topLevelItemCount() == 0;
    while (tree_->topLevelItemCount() > static_cast<int>(cards.size()))
      delete tree_->takeTopLevelItem(tree_->topLevelItemCount() - 1);
    while (tree_->topLevelItemCount() < static_cast<int>(cards.size())) tree_->addTopLevelItem(new QTreeWidgetItem);
    for (std::size_t i = 0; i < cards.size(); ++i) {
      auto* item = tree_->topLevelItem(static_cast<int>(i));
      presentItem(item, cards[i]);
      item->setSelected(selected.contains(cards[i].path()));
      if (cards[i].path() == current) tree_->setCurrentItem(item, 0, QItemSelectionModel::NoUpdate);
    }
    if (is_first)
      for (int column = 0; column < kScore; ++column) tree_->resizeColumnToContents(column);
  }
  presentEmpty();
  refreshActions();
}

void CheckpointsPanel::presentItem(QTreeWidgetItem* item, const CheckpointCard& card) {
  const auto look = lookOf(card);
  const auto written = QDateTime::fromMSecsSinceEpoch(static_cast<qint64>(1000 * card.facts.written_unix));
  item->setData(0, Qt::UserRole, card.path());
  item->setText(kStage, stageTitle(card.facts.stage));
  item->setText(kStep, formatCount(card.facts.step));
  item->setText(kSize, formatBytes(card.facts.bytes));
  item->setText(kWritten, QLocale().toString(written, QStringLiteral("d MMM HH:mm")));
  item->setText(kValues, look.text);
  item->setIcon(kValues, theme_.icon(QLatin1String(look.icon), look.ink));
  item->setText(kScore, card.score);
  item->setTextAlignment(kStep, Qt::AlignRight | Qt::AlignVCenter);
  item->setTextAlignment(kSize, Qt::AlignRight | Qt::AlignVCenter);
  QFont font = tree_->font();
  font.setBold(card.is_newest_healthy);
  item->setFont(kStep, font);
  QStringList tip = {titleOf(card)};
  if (card.is_newest_healthy) tip << tr("The newest healthy one of its stage: training goes on from here.");
  if (card.facts.is_imported) tip << tr("Imported.");
  if (card.facts.total_steps > 0)
    tip << tr("Step %1 of %2, %3 images, %4 of training")
               .arg(formatCount(card.facts.step), formatCount(card.facts.total_steps),
                    formatCount(card.facts.images_seen), formatDuration(card.facts.wall_seconds));
  tip << look.tip << card.scores << absolutePath(card);
  for (int column = 0; column < kNumColumns; ++column) item->setToolTip(column, tip.join(QLatin1Char('\n')));
}

void CheckpointsPanel::presentEmpty() {
  const auto& cards = list_.cards();
  stack_->setCurrentIndex(cards.empty() ? 1 : 0);
  if (!source_)
    empty_->setText(tr("No run is open"), tr("Open a run to see what it has saved."));
  else if (source_->isForeign())
    empty_->setText(tr("Not a run of the studio"),
                    tr("Checkpoints of other programs can be imported: New run, then the menu of a stage."));
  else if (list_.isLoading() && list_.trouble().isEmpty())
    empty_->setText(tr("Reading the checkpoints…"), tr("Only names, sizes and states are read."));
  else if (!list_.trouble().isEmpty())
    empty_->setText(tr("The run folder cannot be read"), list_.trouble());
  else
    empty_->setText(
        tr("No checkpoint yet"),
        tr("A stage writes one every checkpoint_every steps and at its end; Save now (Ctrl+S) writes one at "
           "once while it trains."));
  if (!cards.empty() && !list_.trouble().isEmpty()) {
    summary_->setText(tr("The run folder cannot be read any more (%1). The list is as it was.").arg(list_.trouble()));
  } else if (!cards.empty()) {
    QString text = cards.size() == 1 ? tr("1 checkpoint, %1").arg(formatBytes(list_.totalBytes()))
                                     : tr("%1 checkpoints, %2").arg(cards.size()).arg(formatBytes(list_.totalBytes()));
    if (!list_.mayDelete()) text += tr(" · the folder is read-only");
    summary_->setText(text);
  }
  summary_->setVisible(!cards.empty());
}

void CheckpointsPanel::refreshActions() {
  const auto cards = chosen();
  const bool is_there = list_.trouble().isEmpty();
  const auto offer = [](QAction* action, const QString& obstacle) {
    action->setEnabled(obstacle.isEmpty());
    const QString name = action->text().remove(QStringLiteral("…"));
    const QString key = action->shortcut().toString(QKeySequence::NativeText);
    action->setToolTip(obstacle.isEmpty() ? tr("%1 (%2): %3").arg(name, key, action->statusTip())
                                          : tr("%1: %2").arg(name, obstacle));
  };
  QString common;
  if (!source_)
    common = tr("no run is open");
  else if (source_->isForeign())
    common = tr("the run was recorded by another program and can only be looked at");
  else if (cards.empty())
    common = tr("choose a checkpoint first");
  else if (!is_there)
    common = tr("the run folder cannot be read any more");
  const QString one = !common.isEmpty() ? common : cards.size() > 1 ? tr("choose one checkpoint only") : QString();
  const QString no_library = tr("the training library is not loaded (yet)");
  const auto sampling = [&](const CheckpointCard& card) {
    if (!card.canSample())
      return tr("the class grids draw with the teacher or the student; encoder and decoder are the newest ones always");
    return card.facts.problem.empty() ? QString() : tr("it is incomplete");
  };
  offer(sample_, !one.isEmpty() ? one : !host_ ? no_library : sampling(*cards[0]));
  QString pair = common;
  if (pair.isEmpty() && cards.size() != 2) pair = tr("choose two checkpoints (with Ctrl)");
  if (pair.isEmpty() && !host_) pair = no_library;
  if (pair.isEmpty()) pair = sampling(*cards[0]);
  if (pair.isEmpty()) pair = sampling(*cards[1]);
  if (pair.isEmpty() && cards[0]->isTeacher() != cards[1]->isTeacher())
    pair = tr("a teacher and a student are not drawn alike; choose two of one kind");
  offer(compare_, pair);
  QString branching = one;
  if (branching.isEmpty() && !canBranchFrom(cards[0]->facts.stage)) branching = tr("its stage trains nothing");
  if (branching.isEmpty() && !cards[0]->facts.problem.empty()) branching = tr("it is incomplete");
  offer(branch_, branching);
  offer(check_, common);
  QString exporting = one;
  if (exporting.isEmpty() && !host_) exporting = no_library;
  if (exporting.isEmpty() && !cards[0]->facts.problem.empty()) exporting = tr("it is incomplete");
  if (exporting.isEmpty() && is_exporting_) exporting = tr("another export is being written");
  offer(export_, exporting);
  offer(reveal_, one);
  offer(copy_, !source_ || cards.empty() ? common : QString());
  QString deleting = common;
  if (deleting.isEmpty() && !list_.mayDelete()) deleting = tr("the run folder is read-only");
  if (deleting.isEmpty() &&
      std::all_of(cards.begin(), cards.end(), [](const auto* card) { return card->is_newest_healthy; }))
    deleting = tr("the newest healthy checkpoint of a stage stays: training goes on from it");
  offer(delete_, deleting);
}

void CheckpointsPanel::branch() {
  const auto cards = chosen();
  if (cards.size() == 1) Q_EMIT branchRequested(QString::fromStdString(cards[0]->facts.stage), cards[0]->facts.step);
}

void CheckpointsPanel::sample() {
  const auto cards = chosen();
  if (cards.size() == 1) Q_EMIT sampleRequested(cards[0]->path());
}

void CheckpointsPanel::compare() {
  auto cards = chosen();
  if (cards.size() != 2) return;
  // Left of the wipe what came first: within a stage the list shows the newest on top.
  if (cards[0]->facts.stage == cards[1]->facts.stage) std::swap(cards[0], cards[1]);
  Q_EMIT compareRequested(cards[0]->path(), cards[1]->path());
}

void CheckpointsPanel::check() {
  QStringList paths;
  for (const auto* card : chosen()) paths << card->path();
  for (const auto& path : paths) list_.check(path);
}

void CheckpointsPanel::reveal() {
  const auto cards = chosen();
  if (cards.empty()) return;
  const QString path = absolutePath(*cards[0]);
  if (!open_url_(QUrl::fromLocalFile(path)))
    banner_->showMessage(tr("No file manager answered. The folder is %1.").arg(path), false);
}

void CheckpointsPanel::copyPath() {
  QStringList paths;
  for (const auto* card : chosen()) paths << absolutePath(*card);
  if (!paths.isEmpty()) QApplication::clipboard()->setText(paths.join(QLatin1Char('\n')));
}

void CheckpointsPanel::askDelete() {
  QStringList paths, titles;
  std::int64_t bytes = 0;
  int num_kept = 0;
  for (const auto* card : chosen()) {
    if (card->is_newest_healthy) {
      ++num_kept;
      continue;
    }
    paths << card->path();
    titles << titleOf(*card);
    bytes += card->facts.bytes;
  }
  if (paths.isEmpty() || findChild<QMessageBox*>(QStringLiteral("ask_delete"))) return;
  const QString what =
      paths.size() == 1
          ? tr("%1 (%2) is taken off the disk for good.").arg(titles[0], formatBytes(bytes))
          : tr("%1 checkpoints (%2) are taken off the disk for good.").arg(paths.size()).arg(formatBytes(bytes));
  auto* ask = new QMessageBox(QMessageBox::Warning, tr("Delete checkpoints?"), what, QMessageBox::NoButton, this);
  ask->setObjectName(QStringLiteral("ask_delete"));
  ask->setAttribute(Qt::WA_DeleteOnClose);
  QString more = titles.mid(0, 8).join(QStringLiteral(", "));
  if (titles.size() > 8) more += tr(" and %1 more").arg(titles.size() - 8);
  if (num_kept > 0) more += QLatin1Char('\n') + tr("The newest healthy one of a stage stays.");
  ask->setInformativeText(more);
  auto* go = ask->addButton(tr("Delete"), QMessageBox::DestructiveRole);
  go->setAccessibleName(tr("Delete"));
  auto* keep = ask->addButton(tr("Keep"), QMessageBox::RejectRole);
  keep->setAccessibleName(tr("Keep"));
  ask->setDefaultButton(keep);
  ask->setEscapeButton(keep);
  connect(ask, &QMessageBox::buttonClicked, this, [this, go, paths, folder = list_.folder()](QAbstractButton* button) {
    if (button == go && folder == list_.folder()) list_.remove(paths);
  });
  ask->open();
}

void CheckpointsPanel::askExport() {
  const auto cards = chosen();
  if (cards.size() != 1 || !host_ || findChild<ExportDialog*>()) return;
  const auto& facts = cards[0]->facts;
  auto* ask = new ExportDialog(titleOf(*cards[0]), list_.folder(), facts.stage, facts.step, this);
  connect(ask, &ExportDialog::exportRequested, this, &CheckpointsPanel::startExport);
  ask->open();
}

void CheckpointsPanel::startExport(const base::ExportOrder& order) {
  if (!host_) return;
  is_exporting_ = true;
  banner_->showMessage(tr("Writing %1…").arg(QString::fromStdString(order.out)), false);
  refreshActions();
  host_->exportCheckpoint(order, [mail = mail_](const base::ExportOutcome& outcome) {
    const std::lock_guard lock(mail->mutex);
    if (!mail->owner) return;
    QMetaObject::invokeMethod(
        mail->owner,
        [panel = mail->owner, outcome] {
          panel->is_exporting_ = false;
          QStringList lines;
          if (!outcome.error.empty()) {
            lines << tr("Nothing was exported: %1").arg(QString::fromStdString(outcome.error));
          } else {
            lines << tr("Written: %1 tensors, %2 (%3)")
                         .arg(outcome.num_tensors)
                         .arg(formatBytes(outcome.num_bytes), QString::fromStdString(outcome.description));
            for (const auto& file : outcome.files) lines << QString::fromStdString(file);
            for (const auto& note : outcome.notes) lines << QString::fromStdString(note);
          }
          panel->banner_->showMessage(lines.join(QLatin1Char('\n')), !outcome.error.empty());
          panel->refreshActions();
        },
        Qt::QueuedConnection);
  });
}

}  // namespace meanflow::ui
