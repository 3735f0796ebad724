// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/window/run_desk.h"

#include <QDateTime>
#include <QFileInfo>
#include <algorithm>

#include "core/base/run/demo_run.h"
#include "core/base/run/run_folder.h"
#include "core/base/run/run_state.h"
#include "ui/config/config_panel.h"
#include "ui/models/live_run_source.h"

namespace meanflow::ui {

RunDesk::RunDesk(QObject* parent) : QObject(parent) {
  connect(&queue_, &RunQueue::changed, this, &RunDesk::followQueue, Qt::QueuedConnection);
}

void RunDesk::setHost(base::TrainingHost* host, const QString& problem) {
  host_ = host;
  problem_ = problem;
  if (host_) followQueue();
}

void RunDesk::setSource(RunSource* source) {
  if (source_) source_->disconnect(this);
  source_ = source;
  if (!source_) return;
  connect(source_, &RunSource::changed, this, [this](StoreKind kind) {
    const bool is_waited_for = queue_.running() || queue_.isGoing();  // runs are started past the queue, too
    if (kind != StoreKind::kSummary || !is_waited_for || !base::isEnded(source_->summary().state)) return;
    // Not from within a signal of the source, which the next run replaces.
    QMetaObject::invokeMethod(this, &RunDesk::followQueue, Qt::QueuedConnection);
  });
}

void RunDesk::setPreflight(bool is_going) {
  if (is_going == is_preflight_going_) return;
  is_preflight_going_ = is_going;
  if (!is_going) followQueue();
}

void RunDesk::setReplay(bool is_going) {
  if (is_going == is_replay_going_) return;
  is_replay_going_ = is_going;
  if (!is_going) followQueue();
}

bool RunDesk::hasLiveRun() const {
  return source_ && source_->isLive() && host_ &&
         (!base::isEnded(host_->state()) || !base::isEnded(source_->summary().state));
}

bool RunDesk::canStart(QString* why) const {
  if (!host_) {
    *why = problem_.isEmpty() ? tr("The training library is not loaded yet; try again in a moment.") : problem_;
    return false;
  }
  if (hasLiveRun()) {
    *why = tr("A run is already being trained in this window: stop it first, or put the new one into the queue.");
    return false;
  }
  if (is_preflight_going_) {
    *why = tr("A pre-flight is going on: wait for its page or cancel it there, then start.");
    return false;
  }
  if (is_replay_going_) {
    *why = tr("A step is being replayed: wait for what it finds or cancel it, then start.");
    return false;
  }
  return true;
}

QString RunDesk::start(const base::RunRequest& request, RunSource* history) {
  if (QString why; !canStart(&why)) return why;
  auto source = std::make_unique<LiveRunSource>(QString::fromStdString(request.run_folder));
  const auto started_run = host_->start(request, source->sink());
  if (!started_run.ok()) return QString::fromStdString(started_run.error().message);
  // Nothing has been folded yet: events wait in the queue until control returns to the event loop.
  if (history) source->continueFrom(*history);
  Q_EMIT started(source.release());
  return {};
}

QString RunDesk::startNew(const NewRun& run) {
  if (QString why; !canStart(&why)) return why;
  // The queue keeps the file a run is started from, and knows of it should the studio end at once.
  queue_.add(run.name, run.folder, run.yaml);
  const auto entry = queue_.runs().back();
  queue_.flush();
  base::RunRequest request;
  request.run_folder = run.folder.toStdString();
  request.config = entry.config.toStdString();
  const QString why = start(request, nullptr);
  why.isEmpty() ? queue_.markRunning(entry.id) : queue_.remove(entry.id);
  return why;
}

QString RunDesk::startDemo(const DemoOptions& options) {
  base::RunRequest request;
  request.run_folder = options.out_folder.toStdString();
  if (options.out_folder.isEmpty()) {
    const QString name = QDateTime::currentDateTime().toString(QStringLiteral("yyyyMMdd-HHmmss"));
    request.run_folder = base::defaultRunsFolder() + "/demo-" + name.toStdString();
  }
  request.config = options.config.toStdString();
  for (const auto& text : options.overrides) request.overrides.push_back(text.toStdString());
  return start(request, nullptr);
}

QString RunDesk::continueRun(RunSource& source) {
  base::RunRequest request;
  request.run_folder = source.folder().toStdString();
  return start(request, &source);
}

QString RunDesk::evaluate(RunSource& source) {
  base::RunRequest request;
  request.run_folder = source.folder().toStdString();
  const auto folder = base::RunFolder::open(request.run_folder);
  if (!folder.ok()) return QString::fromStdString(folder.error().message);
  const auto config = folder->readConfig();
  if (!config.ok()) return QString::fromStdString(config.error().message);
  if (std::find(config->stages.begin(), config->stages.end(), "report") == config->stages.end()) {
    std::string stages;
    for (const auto& stage : config->stages) stages += stage + ",";
    request.overrides = {"stages=[" + stages + "report]"};
  }
  return start(request, &source);
}

QString RunDesk::extend(const QString& folder, const QString& assignment) {
  base::RunRequest request;
  request.run_folder = folder.toStdString();
  request.overrides = {assignment.toStdString()};
  const bool is_on_show = source_ && source_->folder() == folder && !source_->isLoading();
  return start(request, is_on_show ? source_.data() : nullptr);
}

void RunDesk::followQueue() {
  if (const auto* running = queue_.running(); running && !hasLiveRun()) {
    const bool is_ours = source_ && source_->isLive() && source_->folder() == running->folder;
    const auto state = is_ours ? source_->summary().state : base::RunState::kStopped;
    const QString remark = state == base::RunState::kFailed ? QString::fromStdString(source_->summary().failure)
                           : state == base::RunState::kFinished
                               ? QString()
                               : tr("stopped before its end; Wait again goes on with it");
    queue_.markEnded(running->id, state == base::RunState::kFinished, remark);
    return;  // comes here again: the queue has changed
  }
  while (queue_.isGoing() && host_ && !is_preflight_going_ && !is_replay_going_ && !hasLiveRun() && !queue_.running()) {
    const auto* next = queue_.next();
    if (!next) return queue_.setGoing(false);
    queue_.flush();
    base::RunRequest request;
    request.run_folder = next->folder.toStdString();
    // A folder that is there already is continued with its own configuration, in which a branch has its changes.
    const bool is_there = QFileInfo::exists(next->folder + QStringLiteral("/config.yaml"));
    if (!is_there) request.config = next->config.toStdString(), request.branch = next->branch;
    if (!is_there || !next->branch)
      for (const auto& text : next->overrides) request.overrides.push_back(text.toStdString());
    const QString id = next->id;
    const QString why = start(request, nullptr);
    why.isEmpty() ? queue_.markRunning(id) : queue_.markEnded(id, false, why);
  }
}

}  // namespace meanflow::ui
