// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/run_controller.h"

#include "core/base/run/inbox.h"
#include "core/base/run/run_folder.h"
#include "core/base/run/run_state.h"

namespace meanflow::ui {
namespace {

base::Result<void> sendToInbox(const QString& folder, const base::Command& command) {
  const auto run = base::RunFolder::open(folder.toStdString());
  if (!run.ok()) return run.error();
  return base::Inbox(run->inbox()).send(command);
}

}  // namespace

RunActions actionsFor(base::RunState state, RunAccess access, bool has_run, bool can_train) {
  using base::RunState;
  RunActions can;
  if (!has_run) {
    can.can_start = can_train;
    return can;
  }
  if (base::isEnded(state) || access == RunAccess::kNone) {
    // A record that says "running" while nobody works on it was cut off: it can be continued like a stopped one.
    can.start_continues = state != RunState::kIdle;
    can.can_start = can_train && state != RunState::kFinished && access != RunAccess::kElsewhere;
    return can;
  }
  const bool is_steady = state == RunState::kRunning || state == RunState::kPaused;
  can.can_pause = state == RunState::kRunning || state == RunState::kStarting;
  can.can_resume = state == RunState::kPaused;
  can.can_save = is_steady;
  can.can_stop = state != RunState::kStopping;
  can.can_discard = true;
  return can;
}

RunController::RunController(QObject* parent) : QObject(parent) { refresh(); }

void RunController::setHost(base::TrainingHost* host) {
  host_ = host;
  refresh();
}

void RunController::setSource(RunSource* source) {
  if (source_) source_->disconnect(this);
  source_ = source;
  if (source_) {
    connect(source_, &RunSource::changed, this, [this](StoreKind kind) {
      if (kind == StoreKind::kSummary) refresh();
    });
    connect(source_, &RunSource::loadingFinished, this, &RunController::refresh);
    connect(source_, &RunSource::troubleChanged, this, &RunController::refresh);
  }
  refresh();
}

RunAccess RunController::access() const {
  if (!source_) return RunAccess::kNone;
  if (source_->isLive()) return RunAccess::kLive;
  if (source_->isLoading() || base::isEnded(source_->summary().state)) return RunAccess::kNone;
  return source_->isWorkedOn() ? RunAccess::kElsewhere : RunAccess::kNone;
}

void RunController::refresh() {
  const bool can_train = canTrain() && !(source_ && (source_->isLoading() || source_->isForeign()));
  const auto now =
      actionsFor(source_ ? source_->summary().state : base::RunState::kIdle, access(), source_ != nullptr, can_train);
  if (now == actions_) return;
  actions_ = now;
  Q_EMIT actionsChanged();
}

void RunController::send(const base::Command& command) {
  switch (access()) {
    case RunAccess::kLive:
      if (host_) host_->send(command);
      return;
    case RunAccess::kElsewhere:
      if (const auto sent = sendToInbox(source_->folder(), command); !sent.ok()) {
        Q_EMIT refused(QString::fromStdString(sent.error().message));
      }
      return;
    case RunAccess::kNone:
      Q_EMIT refused(tr("Nobody is working on this run, so there is nobody to tell."));
      return;
  }
}

}  // namespace meanflow::ui
