// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/replay_job.h"

namespace meanflow::ui {

void ReplayJob::setHost(base::TrainingHost* host) {
  host_ = host;
  if (!host_ && is_going_) end({{}, tr("The training library was closed before the replay had ended.").toStdString()});
}

void ReplayJob::start(const base::BranchPoint& at) {
  if (is_going_) return;
  at_ = at;
  outcome_.reset();
  if (!host_) return end({{}, tr("The training library, which replays steps, is not loaded.").toStdString()});
  is_going_ = true;  // the answer may come at once
  const auto begun = host_->startReplay(at, answers_.to<base::ReplayOutcome>([this](const base::ReplayOutcome& answer) {
    if (is_going_) end(answer);
  }));
  if (!begun.ok()) return end({{}, begun.error().message});
  Q_EMIT changed();
}

void ReplayJob::cancel() {
  if (!is_going_ || is_cancelling_ || !host_) return;
  is_cancelling_ = true;
  host_->cancelReplay();
  Q_EMIT changed();
}

void ReplayJob::end(base::ReplayOutcome outcome) {
  is_going_ = is_cancelling_ = false;
  outcome_ = std::move(outcome);
  Q_EMIT changed();
}

}  // namespace meanflow::ui
