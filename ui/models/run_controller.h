// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QObject>
#include <QPointer>
#include <QString>
#include <functional>

#include "core/base/events/command.h"
#include "core/base/run/training_host.h"
#include "ui/models/run_source.h"

namespace meanflow::ui {

/// How this window reaches the run on show.
enum class RunAccess {
  kNone,      ///< No run, or a record of one that nobody works on.
  kLive,      ///< Trained by this process, through its TrainingHost.
  kElsewhere  ///< Trained by another process; commands go through the inbox of the run folder.
};

/// What a person may ask for now. Derived from the state the run has reported, never from what was clicked.
struct RunActions {
  bool can_start = false;  ///< A new run, or continue the one on show.
  bool start_continues = false;
  bool can_pause = false;
  bool can_resume = false;
  bool can_save = false;
  bool can_stop = false;  ///< Stop and save.
  bool can_discard = false;
  bool operator==(const RunActions&) const = default;
};

/// `can_train`: the training library is there. `has_run`: a run is on show.
RunActions actionsFor(base::RunState state, RunAccess access, bool has_run, bool can_train);

/// Carries what a person asks for to whoever trains the run on show.
class RunController final : public QObject {
  Q_OBJECT
 public:
  explicit RunController(QObject* parent = nullptr);

  void setHost(base::TrainingHost* host);  ///< Null: nothing can be trained here. Must outlive the controller.
  void setSource(RunSource* source);       ///< The run on show; null: none.
  bool canTrain() const { return host_ != nullptr; }

  RunAccess access() const;
  const RunActions& actions() const { return actions_; }

 public Q_SLOTS:
  void pause() { send(base::Pause{}); }
  void resume() { send(base::Resume{}); }
  void stopAndSave() { send(base::StopAndSave{}); }
  void saveNow() { send(base::SaveNow{}); }
  void discard() { send(base::Discard{}); }
  /// Of the run on show, as `meanflow control RUN change_setting KEY=VALUE`; the run answers with SettingChanged.
  void changeSetting(const QString& key, const QString& value) {
    send(base::ChangeSetting{key.toStdString(), value.toStdString()});
  }
  void refresh();  ///< Derives the actions again; connected to the source's changes.

 Q_SIGNALS:
  void actionsChanged();
  void refused(const QString& sentence);

 private:
  void send(const base::Command& command);

  base::TrainingHost* host_ = nullptr;
  QPointer<RunSource> source_;
  RunActions actions_;
};

}  // namespace meanflow::ui
