// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QObject>
#include <QPointer>
#include <functional>

#include "ui/config/config_draft.h"
#include "ui/config/preflight_page.h"
#include "ui/models/host_answer.h"
#include "ui/models/preflight_job.h"

namespace meanflow::ui {

class CheckpointDialog;

/// What is asked of the training library before a run is started: a pre-flight of its settings, and whether a
/// checkpoint can stand in for one of its stages; a checkpoint that is used goes into the draft with the settings it
/// needs, as one step for undo.
class NewRunChecks final : public QObject {
  Q_OBJECT
 public:
  NewRunChecks(const Theme& theme, ConfigDraft& draft, QWidget* parent);

  void setHost(base::TrainingHost* host);  ///< Null: none. Must be told before the host goes.
  PreflightPage* page() const { return page_; }
  const PreflightJob& preflight() const { return preflight_; }

  /// `run_folder`: where the run would be.
  void startPreflight(const QString& run_folder);
  /// Asks for a file or folder, then looks into it.
  void askCheckpoint(const QString& what, bool is_folder);
  void inspect(const QString& what, const QString& source);
  void forgetCheckpoint(const QString& what);
  /// How a file or folder is asked for; replaced by tests.
  void setPick(std::function<QString(const QString& what, bool is_folder)> pick) { pick_ = std::move(pick); }
  CheckpointDialog* dialog() const;  ///< Null when none is open.

 Q_SIGNALS:
  void refused(const QString& sentence);

 private:
  void use(const base::CheckpointFinding& finding);
  QString askFile(const QString& what, bool is_folder) const;

  HostAnswers answers_;
  ConfigDraft& draft_;
  QWidget* window_;
  base::TrainingHost* host_ = nullptr;
  PreflightJob preflight_;
  PreflightPage* page_;
  QPointer<CheckpointDialog> dialog_;
  std::function<QString(const QString&, bool)> pick_;
};

}  // namespace meanflow::ui
