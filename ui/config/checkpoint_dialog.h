// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QDialog>

#include "core/base/run/checkpoint_finding.h"

class QLabel;
class QProgressBar;
class QPushButton;
class QTreeWidget;

namespace meanflow::ui {

/// What a checkpoint is that somebody wants to use for a stage: first that it is being looked into, then what it holds
/// and which settings change with it, or why it cannot be used.
class CheckpointDialog final : public QDialog {
  Q_OBJECT
 public:
  CheckpointDialog(const QString& what, const QString& source, QWidget* parent = nullptr);
  void present(const base::CheckpointFinding& finding);
  const base::CheckpointFinding& finding() const { return finding_; }
  QString text() const;  ///< What it says.
  QPushButton* useButton() const { return use_; }

 Q_SIGNALS:
  void anotherWanted();

 private:
  base::CheckpointFinding finding_;
  QLabel* text_;
  QProgressBar* busy_;
  QLabel* changes_title_;
  QTreeWidget* changes_;
  QPushButton* use_;
  QPushButton* another_;
  QPushButton* close_;
};

/// "the teacher", "the latent statistics", for titles.
QString checkpointPlace(const QString& what);

}  // namespace meanflow::ui
