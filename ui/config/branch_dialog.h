// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QDialog>
#include <vector>

#include "core/base/run/training_host.h"
#include "ui/config/branch_plan.h"
#include "ui/config/config_draft.h"
#include "ui/models/studio_state.h"

class QLabel;
class QLineEdit;
class QPushButton;
class QScrollArea;
class QToolButton;
class QTreeWidget;
class QVBoxLayout;

namespace meanflow::ui {

class FieldEditor;
class SettingSearch;
class Theme;

/// Asks for a new run that leaves another one at a step and goes on with other settings: its name, and what changes.
/// The parent is read on another thread.
class BranchDialog final : public QDialog {
  Q_OBJECT
 public:
  /// `skip_step`: a step that the branch is to pass over, such as one that an alarm was raised in; 0: none.
  BranchDialog(const Theme& theme, base::BranchPoint at, std::int64_t skip_step, QWidget* parent);

  const base::BranchPoint& at() const { return at_; }
  ConfigDraft& draft() { return draft_; }
  QString folder() const;  ///< Where the new run would go.
  base::RunRequest request() const;
  FieldEditor* editorOf(const QString& key) const;  ///< Null when it is not on show.
  QString obstacle() const;                         ///< Why Start is disabled; empty: it is not.

  /// What another branch was asked for with, before the dialog is shown: where it would be, and KEY=VALUE, which are
  /// put in once the parent has been read.
  void propose(const QString& folder, const QStringList& overrides);

 public Q_SLOTS:
  /// Why no run can be started now, whatever the settings; empty: one can.
  void setStartObstacle(const QString& why);
  void showRefusal(const QString& sentence);
  void addSetting(const QString& key);

 Q_SIGNALS:
  void startRequested();  ///< request() has what was asked for; the dialog stays until it is accepted.
  void queueRequested();

 private:
  void layOut();
  void present(const base::Result<BranchStart>& start);
  void connectDraft();
  void applyProposed();
  void reveal(FieldEditor* editor);
  void refreshField(const QString& key);
  void refreshChanges();
  void refresh();
  void askFolder();
  QString settingsObstacle() const;

  const Theme& theme_;
  base::BranchPoint at_;
  std::int64_t skip_step_;
  ConfigDraft draft_;
  bool is_known_ = false;  ///< The parent has been read.
  QString problem_;        ///< Why it could not be.
  QString start_obstacle_, refusal_;
  QString parent_folder_;
  QStringList proposed_;  ///< KEY=VALUE.
  QLabel* way_;
  QLineEdit* name_;
  QToolButton* place_;
  QLabel* path_;
  QScrollArea* scroll_;
  QVBoxLayout* column_;
  SettingSearch* search_;
  std::vector<FieldEditor*> editors_;
  QLabel* changes_title_;
  QTreeWidget* changes_;
  QLabel* line_;
  QPushButton* cancel_;
  QPushButton* queue_;
  QPushButton* start_;
  Background background_;
};

}  // namespace meanflow::ui
