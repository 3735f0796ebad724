// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/runs_panel.h"

#include <QAction>
#include <QFileInfo>
#include <QLabel>
#include <QLineEdit>
#include <QListWidget>
#include <QLocale>
#include <QPlainTextEdit>
#include <QStackedLayout>
#include <QVBoxLayout>

#include "core/base/run/run_state.h"
#include "ui/models/recent_runs.h"
#include "ui/models/run_catalog.h"
#include "ui/panels/empty_state.h"
#include "ui/theme/format.h"
#include "ui/theme/theme.h"

namespace meanflow::ui {
namespace {

struct Look {
  const char* icon;
  QColor ThemeColors::*ink;
};

Look lookOf(const RunCard& card) {
  if (!card.is_there) return {"folder", &ThemeColors::idle};
  if (card.is_foreign) return {"curve", &ThemeColors::idle};
  if (card.isInterrupted()) return {"pause", &ThemeColors::warning};
  switch (card.state) {
    case base::RunState::kFinished:
      return {"check", &ThemeColors::good};
    case base::RunState::kFailed:
      return {"fail", &ThemeColors::bad};
    case base::RunState::kStopped:
    case base::RunState::kPaused:
    case base::RunState::kPausing:
      return {"pause", &ThemeColors::warning};
    case base::RunState::kIdle:
      return {"wait", &ThemeColors::idle};
    default:
      return {"play", &ThemeColors::accent};
  }
}

QString stateText(const RunCard& card) {
  if (!card.is_there) return RunsPanel::tr("not there now");
  if (card.is_foreign) return RunsPanel::tr("of another program");
  return card.isInterrupted() ? RunsPanel::tr("interrupted") : runStateText(card.state);
}

}  // namespace

RunsPanel::RunsPanel(const Theme& theme, RunCatalog& catalog, RecentRuns& recent, bool is_short, QWidget* parent)
    : QWidget(parent),
      theme_(theme),
      catalog_(catalog),
      recent_(recent),
      is_short_(is_short),
      search_(new QLineEdit),
      list_(new QListWidget),
      empty_(new EmptyState(theme, QStringLiteral("folder"))),
      stack_(new QStackedLayout),
      notes_label_(new QLabel(tr("Notes"))),
      notes_(new QPlainTextEdit) {
  setAccessibleName(tr("Runs"));
  search_->setPlaceholderText(tr("Search names and notes"));
  search_->setClearButtonEnabled(true);
  search_->setAccessibleName(tr("Search runs by name, state or notes"));
  search_->addAction(theme_.icon(QStringLiteral("search"), &ThemeColors::muted), QLineEdit::LeadingPosition);
  search_->setVisible(!is_short_);
  list_->setAccessibleName(is_short_ ? tr("Recent runs") : tr("Runs"));
  list_->setToolTip(is_short_ ? tr("Enter opens a run, Delete takes it off this list")
                              : tr("Enter opens a run; a tick lays its curves over those on show"));
  list_->setIconSize(QSize(20, 20));
  list_->setSpacing(2);
  list_->setTextElideMode(Qt::ElideRight);
  list_->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  notes_->setAccessibleName(tr("Notes of the chosen run"));
  notes_->setPlaceholderText(tr("What this run is for, what came of it. Kept as notes.txt in its folder."));
  notes_->setTabChangesFocus(true);
  notes_->setMaximumHeight(4 * fontMetrics().lineSpacing() + 12);
  notes_label_->setProperty("muted", true);
  notes_label_->setVisible(!is_short_);
  notes_->setVisible(!is_short_);

  auto* body = new QWidget;
  body->setLayout(stack_);
  stack_->addWidget(list_);
  stack_->addWidget(empty_);
  auto* layout = new QVBoxLayout(this);
  const int margin = is_short_ ? 0 : 6;
  layout->setContentsMargins(margin, margin, margin, margin);
  layout->setSpacing(5);
  layout->addWidget(search_);
  layout->addWidget(body, 1);
  layout->addWidget(notes_label_);
  layout->addWidget(notes_);
  buildActions();

  notes_timer_.setSingleShot(true);
  notes_timer_.setInterval(600);
  connect(&notes_timer_, &QTimer::timeout, this, &RunsPanel::keepNotes);
  connect(notes_, &QPlainTextEdit::textChanged, &notes_timer_, qOverload<>(&QTimer::start));
  connect(search_, &QLineEdit::textChanged, this, &RunsPanel::refresh);
  connect(list_, &QListWidget::itemActivated, this,
          [this](QListWidgetItem* item) { Q_EMIT openRequested(item->data(Qt::UserRole).toString()); });
  connect(list_, &QListWidget::currentItemChanged, this, [this] {
    keepNotes();
    showNotes();
  });
  connect(list_, &QListWidget::itemChanged, this, [this](QListWidgetItem* item) {
    const QString folder = item->data(Qt::UserRole).toString();
    const bool is_on = item->checkState() == Qt::Checked;
    if (is_short_ || is_on == overlaid_.contains(folder)) return;
    is_on ? overlaid_.append(folder) : static_cast<void>(overlaid_.removeAll(folder));
    Q_EMIT overlayChanged(overlaid_);
  });
  connect(&catalog_, &RunCatalog::changed, this, &RunsPanel::refresh);
  connect(&theme_, &Theme::changed, this, &RunsPanel::refresh);
  refresh();
}

void RunsPanel::buildActions() {
  list_->setContextMenuPolicy(Qt::ActionsContextMenu);
  const auto add = [this](const QString& text, const QKeySequence& key, auto run) {
    auto* action = new QAction(text, list_);
    action->setShortcut(key);
    action->setShortcutContext(Qt::WidgetShortcut);
    list_->addAction(action);
    connect(action, &QAction::triggered, this, [this, run] {
      if (const QString folder = currentFolder(); !folder.isEmpty()) run(folder);
    });
  };
  add(tr("Open"), {}, [this](const QString& folder) { Q_EMIT openRequested(folder); });
  if (!is_short_) {
    add(tr("Duplicate its settings into a new run"), QKeySequence(tr("Ctrl+Alt+D")),
        [this](const QString& folder) { Q_EMIT duplicateRequested(folder); });
    add(tr("Extend…"), QKeySequence(tr("Ctrl+Alt+X")),
        [this](const QString& folder) { Q_EMIT extendRequested(folder); });
  }
  add(tr("Take off the list of recent runs"), QKeySequence::Delete,
      [this](const QString& folder) { recent_.remove(folder); });
}

QString RunsPanel::currentFolder() const {
  const auto* item = list_->currentItem();
  return item ? item->data(Qt::UserRole).toString() : QString();
}

void RunsPanel::setOpenFolder(const QString& folder) {
  if (folder == open_folder_) return;
  open_folder_ = folder;
  refresh();
}

void RunsPanel::present(QListWidgetItem* item, const RunCard& card, int depth) {
  const Look look = lookOf(card);
  QStringList parts = {stateText(card)};
  if (!card.stage.isEmpty())
    parts << tr("%1 step %2").arg(stageTitle(card.stage.toStdString()), formatCount(card.step));
  if (card.changed.isValid()) parts << QLocale().toString(card.changed, QStringLiteral("d MMM HH:mm"));
  const bool is_open = card.folder == open_folder_;
  QStringList lines = {is_open ? tr("%1 (on show)").arg(card.name) : card.name, parts.join(QStringLiteral(" · "))};
  if (!card.branch.isEmpty()) lines << card.branch;
  if (!is_short_ && !card.notes.isEmpty()) lines << card.notes.section(QLatin1Char('\n'), 0, 0);
  if (depth > 0) {  // below the run it left
    const QString indent(3 * (depth - 1), QChar::Nbsp);
    lines[0].prepend(indent + QStringLiteral("↳ "));
    for (qsizetype i = 1; i < lines.size(); ++i) lines[i].prepend(indent + QString(4, QChar::Nbsp));
  }
  const QString text = lines.join(QLatin1Char('\n'));
  item->setText(text);
  item->setIcon(theme_.icon(QLatin1String(look.icon), look.ink));
  item->setData(Qt::UserRole, card.folder);
  QStringList tip = {card.folder};
  if (!card.branch.isEmpty()) tip << card.branch;
  if (!card.notes.isEmpty()) tip << QString() << card.notes;
  item->setToolTip(tip.join(QLatin1Char('\n')));
  if (is_short_) return;
  item->setFlags(item->flags() | Qt::ItemIsUserCheckable);
  item->setCheckState(overlaid_.contains(card.folder) ? Qt::Checked : Qt::Unchecked);
}

void RunsPanel::refresh() {
  const QString chosen = currentFolder();
  const QString wanted = search_->text().trimmed();
  const QSignalBlocker blocker(list_);
  list_->clear();
  for (const auto& [each, depth] : asFamilies(catalog_.cards())) {
    const auto& card = *each;
    const bool is_recent = !is_short_ || recent_.folders().contains(card.folder);
    const bool is_found = wanted.isEmpty() || card.name.contains(wanted, Qt::CaseInsensitive) ||
                          card.notes.contains(wanted, Qt::CaseInsensitive) ||
                          card.branch.contains(wanted, Qt::CaseInsensitive) ||
                          stateText(card).contains(wanted, Qt::CaseInsensitive);
    if (!is_recent || !is_found) continue;
    auto* item = new QListWidgetItem(list_);
    present(item, card, depth);
    if (card.folder == chosen) list_->setCurrentItem(item);
  }
  if (list_->count() == 0) {
    if (!wanted.isEmpty())
      empty_->setText(tr("No run is called that"), tr("Clear the search to see all of them."));
    else if (catalog_.isLoading())
      empty_->setText(tr("Looking for runs…"), tr("Those opened lately and those in the folder of new runs."));
    else
      empty_->setText(tr("No runs yet"), tr("Those you open or train appear here."));
  }
  stack_->setCurrentIndex(list_->count() > 0 ? 0 : 1);
  showNotes();
}

void RunsPanel::overlay(const QString& folder) {
  if (overlaid_.contains(folder)) return;
  overlaid_.append(folder);
  refresh();
  Q_EMIT overlayChanged(overlaid_);
}

void RunsPanel::showNotes() {
  const QString folder = currentFolder();
  const auto* card = catalog_.find(folder);
  notes_->setEnabled(card && card->is_there);
  notes_label_->setText(card ? tr("Notes of %1").arg(card->name) : tr("Notes: choose a run above"));
  if (folder == notes_folder_ && notes_->hasFocus()) return;  // a person is writing
  notes_folder_ = folder;
  const QSignalBlocker blocker(notes_);
  notes_->setPlainText(card ? card->notes : QString());
}

void RunsPanel::keepNotes() {
  notes_timer_.stop();
  if (!notes_folder_.isEmpty() && notes_->document()->isModified())
    catalog_.setNotes(notes_folder_, notes_->toPlainText());
  notes_->document()->setModified(false);
}

void RunsPanel::showEvent(QShowEvent* event) {
  QWidget::showEvent(event);
  catalog_.refresh();
}

}  // namespace meanflow::ui
