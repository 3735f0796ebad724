// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/log_panel.h"

#include <QAction>
#include <QApplication>
#include <QClipboard>
#include <QComboBox>
#include <QFontDatabase>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QLabel>
#include <QLineEdit>
#include <QScrollBar>
#include <QStackedLayout>
#include <QToolButton>
#include <QTreeView>
#include <QVBoxLayout>

#include "ui/panels/empty_state.h"
#include "ui/theme/format.h"
#include "ui/theme/theme.h"

namespace meanflow::ui {

LogPanel::LogPanel(const Theme& theme, QWidget* parent)
    : QWidget(parent),
      model_(new LogModel(theme, this)),
      stack_(new QStackedLayout),
      empty_(new EmptyState(theme, QStringLiteral("wait"))),
      view_(new QTreeView),
      level_(new QComboBox),
      filter_(new QLineEdit),
      counts_(new QLabel),
      follow_(new QToolButton) {
  setAccessibleName(tr("Log"));
  level_->addItem(tr("Errors"), static_cast<int>(LogLevel::kError));
  level_->addItem(tr("Warnings"), static_cast<int>(LogLevel::kWarning));
  level_->addItem(tr("Information"), static_cast<int>(LogLevel::kInfo));
  level_->addItem(tr("Everything"), static_cast<int>(LogLevel::kDebug));
  level_->setCurrentIndex(2);
  level_->setAccessibleName(tr("Least level shown"));
  level_->setToolTip(tr("Show lines of this level and those more severe"));
  filter_->setPlaceholderText(tr("Filter by text (Ctrl+F)"));
  filter_->setClearButtonEnabled(true);
  filter_->setAccessibleName(tr("Filter the log by text"));
  filter_->setToolTip(tr("Show lines that contain this text; case does not matter"));
  follow_->setText(tr("Follow"));
  follow_->setCheckable(true);
  follow_->setChecked(true);
  follow_->setProperty("framed", true);
  follow_->setFocusPolicy(Qt::StrongFocus);
  follow_->setAccessibleName(tr("Follow the end of the log"));
  follow_->setToolTip(tr("Keep the newest line in view; scrolling up lets go"));
  counts_->setProperty("muted", true);

  view_->setModel(model_);
  view_->setRootIsDecorated(false);
  view_->setUniformRowHeights(true);
  view_->setSelectionMode(QAbstractItemView::ExtendedSelection);
  view_->setFont(QFontDatabase::systemFont(QFontDatabase::FixedFont));
  view_->setAccessibleName(tr("Log lines"));
  view_->header()->setSectionResizeMode(QHeaderView::Fixed);
  view_->header()->setStretchLastSection(true);
  const QFontMetrics metrics(view_->font());
  view_->header()->resizeSection(LogModel::kTime, metrics.horizontalAdvance(QStringLiteral("00:00:00")) + 20);
  view_->header()->resizeSection(LogModel::kWhere, metrics.horizontalAdvance(QStringLiteral("MeanFlow 100000")) + 16);
  auto* copy = new QAction(tr("Copy lines"), view_);
  copy->setShortcut(QKeySequence::Copy);
  copy->setShortcutContext(Qt::WidgetShortcut);
  view_->addAction(copy);
  view_->setContextMenuPolicy(Qt::ActionsContextMenu);
  connect(copy, &QAction::triggered, this, &LogPanel::copySelected);

  auto* bar = new QHBoxLayout;
  bar->setContentsMargins(8, 6, 8, 6);
  bar->setSpacing(6);
  bar->addWidget(level_);
  bar->addWidget(filter_, 1);
  bar->addWidget(counts_);
  bar->addWidget(follow_);
  auto* body = new QWidget;
  body->setLayout(stack_);
  stack_->addWidget(empty_);
  stack_->addWidget(view_);
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->setSpacing(0);
  layout->addLayout(bar);
  layout->addWidget(body, 1);

  connect(level_, &QComboBox::currentIndexChanged, this, &LogPanel::applyFilter);
  connect(filter_, &QLineEdit::textChanged, this, &LogPanel::applyFilter);
  connect(follow_, &QToolButton::clicked, this, &LogPanel::setFollowing);
  connect(view_->verticalScrollBar(), &QScrollBar::valueChanged, this, [this](int value) {
    if (is_updating_) return;
    const bool is_at_end = value >= view_->verticalScrollBar()->maximum();
    if (is_at_end != is_following_) setFollowing(is_at_end);
  });
  // The view may learn its size, or lay out its rows, after it was told to scroll.
  connect(view_->verticalScrollBar(), &QScrollBar::rangeChanged, this, [this](int, int maximum) {
    if (is_following_) view_->verticalScrollBar()->setValue(maximum);
  });
  refresh();
}

void LogPanel::setSource(RunSource* source) {
  if (source_) source_->disconnect(this);
  source_ = source;
  model_->setStore(source_ ? &source_->log() : nullptr);
  if (source_) {
    connect(source_, &RunSource::changed, this, [this](StoreKind kind) {
      if (kind == StoreKind::kLog) refresh();
    });
    // The model reads the source's store: let go of it before it dies.
    connect(source_, &QObject::destroyed, this, [this] { model_->setStore(nullptr), refresh(); });
  }
  refresh();
}

void LogPanel::setFollowing(bool is_following) {
  is_following_ = is_following;
  follow_->setChecked(is_following);
  if (is_following) view_->scrollToBottom();
}

void LogPanel::showStep(const StepCursor& cursor) {
  if (!source_) return;
  const int row = model_->rowAt(source_->axis(), source_->axis().position(cursor.stage, cursor.step));
  if (row < 0) return;
  setFollowing(false);
  is_updating_ = true;
  const auto index = model_->index(row, LogModel::kText);
  view_->setCurrentIndex(index);
  view_->scrollTo(index, QAbstractItemView::PositionAtCenter);
  is_updating_ = false;
}

void LogPanel::focusFilter() {
  filter_->setFocus(Qt::ShortcutFocusReason);
  filter_->selectAll();
}

void LogPanel::copySelected() {
  QStringList lines;
  for (const auto& row : view_->selectionModel()->selectedRows(LogModel::kText)) {
    lines << QStringList{row.siblingAtColumn(LogModel::kTime).data().toString(),
                         row.siblingAtColumn(LogModel::kWhere).data().toString(), row.data().toString()}
                 .join(u'\t');
  }
  if (!lines.isEmpty()) QApplication::clipboard()->setText(lines.join(u'\n'));
}

void LogPanel::applyFilter() {
  model_->setFilter(static_cast<LogLevel>(level_->currentData().toInt()), filter_->text());
  refresh();
}

void LogPanel::refresh() {
  is_updating_ = true;
  model_->update();
  if (is_following_) view_->scrollToBottom();
  is_updating_ = false;
  const bool has_lines = model_->rowCount() > 0;
  if (!has_lines) {
    if (!source_)
      empty_->setText(tr("No run is open"), tr("What a run says appears here once one is open."));
    else if (model_->numHidden() > 0)
      empty_->setText(
          tr("No line passes the filter"),
          tr("%1 lines are hidden; clear the text or show more levels.").arg(formatCount(model_->numHidden())));
    else
      empty_->setText(tr("Nothing has been said yet"), tr("Messages and milestones of the run appear here."));
  }
  stack_->setCurrentIndex(has_lines ? 1 : 0);
  counts_->setText(
      has_lines && model_->numHidden() > 0
          ? tr("%1 of %2").arg(formatCount(model_->rowCount()), formatCount(model_->rowCount() + model_->numHidden()))
          : QString());
}

}  // namespace meanflow::ui
