// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QByteArray>
#include <QObject>
#include <QString>
#include <QStringList>
#include <optional>
#include <vector>

#include "core/base/run/training_host.h"
#include "ui/models/studio_state.h"

namespace meanflow::ui {

/// One run of the queue.
struct QueuedRun {
  enum class State { kWaiting, kRunning, kDone, kFailed };
  QString id = {};
  QString name = {};
  QString folder = {};
  QString config = {};         ///< File with the whole configuration; empty for a run folder that is continued.
  QStringList overrides = {};  ///< KEY=VALUE, such as the steps of an extended run.
  std::optional<base::BranchPoint> branch = {};  ///< Where a new run leaves another; `config` is then empty.
  State state = State::kWaiting;
  QString remark = {};  ///< Why it failed, or what else there is to say.
};

/// Runs that are trained one after the other, kept on disk (stateFolder()/queue.json and queue/ID.yaml) and taken up
/// again at the next start. Which one is next is decided here; who starts it is the window.
class RunQueue final : public QObject {
  Q_OBJECT
 public:
  explicit RunQueue(QObject* parent = nullptr);

  const std::vector<QueuedRun>& runs() const { return runs_; }
  bool isGoing() const { return is_going_; }
  const QueuedRun* next() const;     ///< The first that waits, or null.
  const QueuedRun* running() const;  ///< Null when none is.
  int numWaiting() const;

  /// Reads the queue that was left; a run that was under way then waits again and goes on from its last checkpoint. The
  /// queue itself stays held until a person lets it go.
  void load();
  void flush() { background_.wait(); }  ///< Every file of the queue is on disk.

 public Q_SLOTS:
  void setGoing(bool is_going);
  /// A new run: `yaml` is kept in a file of its own, so later edits of a draft do not change it.
  void add(const QString& name, const QString& folder, const QString& yaml);
  /// A run folder to be continued with some settings replaced.
  void addContinuation(const QString& folder, const QStringList& overrides);
  /// A new run that leaves another one, with some settings replaced.
  void addBranch(const base::RunRequest& request);
  void remove(const QString& id);  ///< Not the one that is running.
  void move(const QString& id, int rows);
  void retry(const QString& id);
  void markRunning(const QString& id);
  void markEnded(const QString& id, bool is_done, const QString& remark);

 Q_SIGNALS:
  void changed();
  void loaded();
  void failed(const QString& sentence);

 private:
  QueuedRun* find(const QString& id);
  void touch();
  QByteArray toJson() const;
  void fromJson(const QByteArray& json);

  std::vector<QueuedRun> runs_;
  bool is_going_ = false;
  bool is_loaded_ = false;
  Background background_;
};

}  // namespace meanflow::ui
