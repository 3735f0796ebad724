// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/queue_panel.h"

#include <QAction>
#include <QFileInfo>
#include <QHBoxLayout>
#include <QLabel>
#include <QListWidget>
#include <QPushButton>
#include <QStackedLayout>
#include <QToolButton>
#include <QVBoxLayout>
#include <algorithm>

#include "ui/models/run_queue.h"
#include "ui/panels/empty_state.h"
#include "ui/theme/theme.h"

namespace meanflow::ui {
namespace {

QString stateText(QueuedRun::State state) {
  switch (state) {
    case QueuedRun::State::kRunning:
      return QueuePanel::tr("being trained");
    case QueuedRun::State::kDone:
      return QueuePanel::tr("done");
    case QueuedRun::State::kFailed:
      return QueuePanel::tr("failed");
    case QueuedRun::State::kWaiting:
      break;
  }
  return QueuePanel::tr("waits");
}

std::pair<const char*, QColor ThemeColors::*> lookOf(QueuedRun::State state) {
  switch (state) {
    case QueuedRun::State::kRunning:
      return {"play", &ThemeColors::accent};
    case QueuedRun::State::kDone:
      return {"check", &ThemeColors::good};
    case QueuedRun::State::kFailed:
      return {"fail", &ThemeColors::bad};
    case QueuedRun::State::kWaiting:
      break;
  }
  return {"wait", &ThemeColors::idle};
}

}  // namespace

QueuePanel::QueuePanel(const Theme& theme, RunQueue& queue, QWidget* parent)
    : QWidget(parent),
      theme_(theme),
      queue_(queue),
      title_(new QLabel),
      go_(new QPushButton),
      list_(new QListWidget),
      empty_(new EmptyState(theme, QStringLiteral("wait"))),
      stack_(new QStackedLayout),
      up_(new QToolButton),
      down_(new QToolButton),
      duplicate_(new QToolButton),
      retry_(new QToolButton),
      remove_(new QToolButton) {
  setAccessibleName(tr("Queue"));
  title_->setProperty("heading", true);
  list_->setAccessibleName(tr("Queued runs"));
  list_->setToolTip(tr("Alt+Up and Alt+Down reorder, Delete takes a run out, Enter opens it once it has a folder"));
  list_->setIconSize(QSize(18, 18));
  list_->setTextElideMode(Qt::ElideRight);
  list_->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  empty_->setText(tr("Nothing is queued"),
                  tr("Put a new run here with Queue in the configuration; it starts when the ones before it end."));

  const auto setUp = [&](QToolButton* button, const char* icon, const QString& name, const QKeySequence& key,
                         auto run) {
    button->setIcon(theme_.icon(QLatin1String(icon)));
    button->setAccessibleName(name);
    button->setToolTip(key.isEmpty() ? name : tr("%1 (%2)").arg(name, key.toString(QKeySequence::NativeText)));
    button->setProperty("framed", true);
    button->setFocusPolicy(Qt::StrongFocus);
    const auto act = [this, run] {
      if (const QString id = currentId(); !id.isEmpty()) run(id);
    };
    connect(button, &QToolButton::clicked, this, act);
    auto* action = new QAction(name, list_);
    action->setShortcut(key);
    action->setShortcutContext(Qt::WidgetShortcut);
    list_->addAction(action);
    connect(action, &QAction::triggered, this, act);
  };
  setUp(up_, "up", tr("Earlier"), QKeySequence(tr("Alt+Up")), [this](const QString& id) { queue_.move(id, -1); });
  setUp(down_, "down", tr("Later"), QKeySequence(tr("Alt+Down")), [this](const QString& id) { queue_.move(id, 1); });
  setUp(duplicate_, "copy", tr("Duplicate and change"), QKeySequence(tr("Ctrl+D")), [this](const QString& id) {
    const auto& runs = queue_.runs();
    const auto at = std::find_if(runs.begin(), runs.end(), [&](const QueuedRun& run) { return run.id == id; });
    if (at == runs.end()) return;
    const QueuedRun run = *at;  // whoever is told may change the queue
    if (run.branch && !QFileInfo::exists(run.folder + QStringLiteral("/config.yaml")))
      Q_EMIT branchDuplicateRequested(run);
    else
      Q_EMIT duplicateRequested(run.config.isEmpty() ? run.folder : run.config, run.name);
  });
  setUp(retry_, "refresh", tr("Wait again"), {}, [this](const QString& id) { queue_.retry(id); });
  setUp(remove_, "close", tr("Take out of the queue"), QKeySequence::Delete,
        [this](const QString& id) { queue_.remove(id); });
  list_->setContextMenuPolicy(Qt::ActionsContextMenu);

  auto* head = new QHBoxLayout;
  head->addWidget(title_, 1);
  head->addWidget(go_);
  auto* tools = new QHBoxLayout;
  tools->setSpacing(4);
  for (auto* button : {up_, down_, duplicate_, retry_, remove_}) tools->addWidget(button);
  tools->addStretch(1);
  auto* body = new QWidget;
  body->setLayout(stack_);
  stack_->addWidget(list_);
  stack_->addWidget(empty_);
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(6, 6, 6, 6);
  layout->setSpacing(5);
  layout->addLayout(head);
  layout->addWidget(body, 1);
  layout->addLayout(tools);

  connect(go_, &QPushButton::clicked, this, [this] { queue_.setGoing(!queue_.isGoing()); });
  connect(list_, &QListWidget::currentItemChanged, this, &QueuePanel::refreshButtons);
  connect(list_, &QListWidget::itemActivated, this, [this] {
    const QString id = currentId();
    for (const auto& run : queue_.runs()) {
      if (run.id == id && run.state != QueuedRun::State::kWaiting) Q_EMIT openRequested(run.folder);
    }
  });
  connect(&queue_, &RunQueue::changed, this, &QueuePanel::refresh);
  connect(&theme_, &Theme::changed, this, &QueuePanel::refresh);
  refresh();
}

QString QueuePanel::currentId() const {
  const auto* item = list_->currentItem();
  return item ? item->data(Qt::UserRole).toString() : QString();
}

void QueuePanel::refresh() {
  const QString chosen = currentId();
  {
    const QSignalBlocker blocker(list_);
    list_->clear();
    for (const auto& run : queue_.runs()) {
      const auto [icon, ink] = lookOf(run.state);
      QString text = run.name + QLatin1Char('\n') + stateText(run.state);
      if (!run.remark.isEmpty()) text += QStringLiteral(" · ") + run.remark;
      auto* item = new QListWidgetItem(theme_.icon(QLatin1String(icon), ink), text, list_);
      item->setData(Qt::UserRole, run.id);
      item->setToolTip(run.remark.isEmpty() ? run.folder : run.folder + QLatin1Char('\n') + run.remark);
      if (run.id == chosen) list_->setCurrentItem(item);
    }
    if (!list_->currentItem() && list_->count() > 0) list_->setCurrentRow(0);
  }
  const int waiting = queue_.numWaiting();
  title_->setText(waiting == 0 ? tr("Queue") : tr("Queue: %1 waiting").arg(waiting));
  go_->setText(queue_.isGoing() ? tr("Hold") : tr("Go"));
  go_->setAccessibleName(queue_.isGoing() ? tr("Hold the queue") : tr("Let the queue go"));
  go_->setToolTip(queue_.isGoing() ? tr("Start no more runs; the one being trained goes on")
                                   : tr("Train the waiting runs one after the other, past those that fail"));
  go_->setEnabled(queue_.isGoing() || waiting > 0);
  stack_->setCurrentIndex(list_->count() > 0 ? 0 : 1);
  refreshButtons();
}

void QueuePanel::refreshButtons() {
  const auto& runs = queue_.runs();
  const QString id = currentId();
  const auto at = std::find_if(runs.begin(), runs.end(), [&](const QueuedRun& run) { return run.id == id; });
  const bool is_chosen = at != runs.end();
  const bool is_running = is_chosen && at->state == QueuedRun::State::kRunning;
  const bool has_ended = is_chosen && !is_running && at->state != QueuedRun::State::kWaiting;
  up_->setEnabled(is_chosen && at != runs.begin());
  down_->setEnabled(is_chosen && at + 1 != runs.end());
  duplicate_->setEnabled(is_chosen);
  retry_->setEnabled(has_ended);
  remove_->setEnabled(is_chosen && !is_running);
}

}  // namespace meanflow::ui
