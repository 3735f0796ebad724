// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/preflight_job.h"

namespace meanflow::ui {

void PreflightJob::setHost(base::TrainingHost* host) {
  host_ = host;
  if (host_ || !is_going_) return;
  is_going_ = false;
  Q_EMIT changed();
}

QString PreflightJob::start(const QString& yaml, const QString& run_folder) {
  if (is_going_) return tr("A pre-flight is going on already: wait for its page, or cancel it.");
  if (!host_) return tr("The training library, which makes the dry steps, is not loaded.");
  is_going_ = true;  // what it says may come at once
  is_cancelling_ = false;
  progress_ = {};
  report_.reset();
  yaml_ = yaml;
  const auto begun =
      host_->startPreflight({yaml.toStdString(), run_folder.toStdString()},
                            answers_.to<base::PreflightNews>([this](const base::PreflightNews& news) { take(news); }));
  if (!begun.ok()) is_going_ = false;
  Q_EMIT changed();
  return begun.ok() ? QString() : QString::fromStdString(begun.error().message);
}

void PreflightJob::cancel() {
  if (!is_going_ || !host_) return;
  is_cancelling_ = true;
  host_->cancelPreflight();
  Q_EMIT changed();
}

void PreflightJob::take(const base::PreflightNews& news) {
  if (!is_going_) return;
  if (news.report) {
    report_ = news.report;
    is_going_ = is_cancelling_ = false;
  } else {
    progress_ = news.progress;
  }
  Q_EMIT changed();
}

}  // namespace meanflow::ui
