// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/runs_panel.h"

#include <QAction>
#include <QDateTime>
#include <QFileInfo>
#include <QListWidget>
#include <QLocale>
#include <QVBoxLayout>

#include "ui/models/recent_runs.h"
#include "ui/theme/theme.h"

namespace meanflow::ui {

RunsPanel::RunsPanel(const Theme& theme, RecentRuns& runs, QWidget* parent)
    : QWidget(parent), theme_(theme), runs_(runs), list_(new QListWidget) {
  list_->setAccessibleName(tr("Recent runs"));
  list_->setToolTip(tr("Enter opens a run, Delete takes it off this list"));
  list_->setIconSize(QSize(22, 22));
  list_->setSpacing(2);
  list_->setTextElideMode(Qt::ElideMiddle);
  list_->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->addWidget(list_);
  auto* forget = new QAction(tr("Take off this list"), list_);
  forget->setShortcut(QKeySequence::Delete);
  forget->setShortcutContext(Qt::WidgetShortcut);
  list_->addAction(forget);
  list_->setContextMenuPolicy(Qt::ActionsContextMenu);
  connect(forget, &QAction::triggered, this, [this] {
    if (auto* item = list_->currentItem()) runs_.remove(item->data(Qt::UserRole).toString());
  });
  connect(list_, &QListWidget::itemActivated, this, [this](QListWidgetItem* item) {
    if (item->flags().testFlag(Qt::ItemIsSelectable)) Q_EMIT openRequested(item->data(Qt::UserRole).toString());
  });
  connect(&runs_, &RecentRuns::changed, this, &RunsPanel::refresh);
  refresh();
}

void RunsPanel::refresh() {
  list_->clear();
  for (const auto& folder : runs_.folders()) {
    const QFileInfo log(folder + QStringLiteral("/events.jsonl"));
    const QString when =
        log.exists() ? QLocale().toString(log.lastModified(), QLocale::ShortFormat) : tr("not there now");
    auto* item = new QListWidgetItem(
        theme_.icon(QStringLiteral("folder"), log.exists() ? &ThemeColors::accent : &ThemeColors::idle),
        tr("%1\n%2 · %3").arg(QFileInfo(folder).fileName(), when, QFileInfo(folder).path()));
    item->setData(Qt::UserRole, folder);
    item->setToolTip(folder);
    list_->addItem(item);
  }
  if (list_->count() == 0) {
    auto* item = new QListWidgetItem(tr("No runs yet. Those you open or train appear here."));
    item->setFlags(Qt::NoItemFlags);
    list_->addItem(item);
  }
}

}  // namespace meanflow::ui
