// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QObject>
#include <QPointer>
#include <QString>
#include <QStringList>

#include "core/base/run/training_host.h"
#include "ui/models/live_run_source.h"
#include "ui/models/run_queue.h"
#include "ui/models/run_source.h"

namespace meanflow::ui {

struct NewRun;

/// How the demo is started from the window.
struct DemoOptions {
  QString out_folder;  ///< Empty: a folder named by date under the person's data folder.
  QString config = QStringLiteral("demo");
  QStringList overrides;
};

/// Where runs are started: those a person asks for, and those of the queue, one after the other and past those that
/// fail. One at a time, because the training library trains one at a time.
class RunDesk final : public QObject {
  Q_OBJECT
 public:
  explicit RunDesk(QObject* parent = nullptr);

  RunQueue& queue() { return queue_; }
  /// Null: nothing can be trained here, and `problem` says why. Must outlive the desk or be taken back.
  void setHost(base::TrainingHost* host, const QString& problem);
  void setSource(RunSource* source);  ///< The run on show; null: none.
  /// While a pre-flight measures, nothing is started: it would be measured slow.
  void setPreflight(bool is_going);
  /// The same of a replay.
  void setReplay(bool is_going);
  bool hasLiveRun() const;
  /// False, with a sentence that says what to do, when nothing can be started now.
  bool canStart(QString* why) const;

  // Each returns an empty text, or why the run was not started.
  QString startNew(const NewRun& run);
  QString startDemo(const DemoOptions& options);
  QString continueRun(RunSource& source);
  /// Continues a run whose stages are all trained, so that the stage report scores it.
  QString evaluate(RunSource& source);
  QString extend(const QString& folder, const QString& assignment);
  /// `request.branch` says which run a new one leaves, and where.
  QString startBranch(const base::RunRequest& request) { return start(request, nullptr); }

 public Q_SLOTS:
  void followQueue();  ///< Marks what has ended and starts what is next.

 Q_SIGNALS:
  /// A run is being trained; whoever shows it takes the source over.
  void started(meanflow::ui::LiveRunSource* source);

 private:
  QString start(const base::RunRequest& request, RunSource* history);

  RunQueue queue_;
  base::TrainingHost* host_ = nullptr;
  QString problem_;
  QPointer<RunSource> source_;
  bool is_preflight_going_ = false, is_replay_going_ = false;
};

}  // namespace meanflow::ui
