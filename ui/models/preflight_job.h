// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QObject>
#include <QString>
#include <memory>

#include "core/base/run/training_host.h"
#include "ui/models/host_answer.h"

namespace meanflow::ui {

/// One pre-flight at a time: asked of the training library, followed, cancelled. Keeps the last report.
class PreflightJob final : public QObject {
  Q_OBJECT
 public:
  explicit PreflightJob(QObject* parent = nullptr) : QObject(parent), answers_(this) {}

  void setHost(base::TrainingHost* host);  ///< Null: none. Must be told before the host goes.
  /// An empty text, or why nothing was begun, with what to do.
  QString start(const QString& yaml, const QString& run_folder);
  void cancel();

  bool isGoing() const { return is_going_; }
  bool isCancelling() const { return is_cancelling_; }
  const base::PreflightProgress& progress() const { return progress_; }
  /// Null before the first one has ended.
  const base::PreflightReport* report() const { return report_.get(); }
  const QString& yaml() const { return yaml_; }  ///< The settings that were looked at.

 Q_SIGNALS:
  void changed();

 private:
  void take(const base::PreflightNews& news);

  HostAnswers answers_;
  base::TrainingHost* host_ = nullptr;
  QString yaml_;
  base::PreflightProgress progress_;
  std::shared_ptr<const base::PreflightReport> report_;
  bool is_going_ = false, is_cancelling_ = false;
};

}  // namespace meanflow::ui
