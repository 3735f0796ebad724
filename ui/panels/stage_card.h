// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QFrame>

#include "ui/models/run_summary.h"

class QLabel;
class QProgressBar;

namespace meanflow::ui {

class Theme;

/// One stage of the pipeline: state, progress, time left, speed, last loss.
class StageCard final : public QFrame {
  Q_OBJECT
 public:
  explicit StageCard(const Theme& theme, QWidget* parent = nullptr);
  /// `source`: what stands in for training the stage; empty where it is trained.
  void present(const StageSummary& stage, bool is_current, const QString& source = {});
  /// What another program recorded: how far it came, and nothing of its plans.
  void presentRecorded(const StageSummary& stage);

 private:
  void presentImported(const StageSummary& stage, const QString& source);
  void setIcon(const std::string& stage, StageState state);

  const Theme& theme_;
  QLabel* icon_;
  QLabel* title_;
  QLabel* state_;
  QProgressBar* bar_;
  QLabel* steps_;
  QLabel* eta_;
  QLabel* speed_;
  QLabel* loss_;
  std::string icon_of_;
  StageState icon_state_ = StageState::kWaiting;
  bool icon_is_dark_ = false;
};

}  // namespace meanflow::ui
