// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QDialog>

#include "core/base/run/checkpoint_export.h"

class QComboBox;
class QLabel;
class QLineEdit;
class QPushButton;

namespace meanflow::ui {

/// Asks what to write a checkpoint as, and where. Says nothing when it is cancelled.
class ExportDialog final : public QDialog {
  Q_OBJECT
 public:
  /// `title` names the checkpoint in words; `run_folder`, `stage` and `step` say which it is.
  ExportDialog(const QString& title, const QString& run_folder, const std::string& stage, qint64 step, QWidget* parent);
  base::ExportOrder order() const;

 Q_SIGNALS:
  void exportRequested(const meanflow::base::ExportOrder& order);

 private:
  void choosePlace();
  void refresh();
  QString suggestedPath() const;
  QString format() const;

  QString run_folder_;
  std::string stage_;
  qint64 step_;
  bool is_path_chosen_ = false;
  QComboBox* format_;
  QComboBox* weights_;
  QLineEdit* path_;
  QLabel* remark_;
  QPushButton* go_;
};

}  // namespace meanflow::ui
