// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QDialog>

#include "core/base/config/run_config.h"
#include "ui/models/studio_state.h"

class QComboBox;
class QDialogButtonBox;
class QLabel;
class QSpinBox;

namespace meanflow::ui {

/// Asks which stage of a run that has ended is to train longer, and to how many steps.
class ExtendDialog final : public QDialog {
  Q_OBJECT
 public:
  ExtendDialog(const QString& folder, QWidget* parent);

 Q_SIGNALS:
  /// `assignment` is KEY=VALUE for the run's configuration.
  void extendRequested(const QString& folder, const QString& assignment);
  void queueRequested(const QString& folder, const QString& assignment);

 private:
  void present(const base::RunConfig& config);
  void fitText();
  void chooseStage();
  QString assignment() const;

  QString folder_;
  QLabel* text_;
  QComboBox* stage_;
  QSpinBox* steps_;
  QDialogButtonBox* buttons_;
  Background background_;
};

}  // namespace meanflow::ui
