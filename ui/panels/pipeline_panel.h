// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QPointer>
#include <QWidget>
#include <functional>
#include <map>
#include <vector>

#include "ui/models/run_controller.h"
#include "ui/models/run_source.h"

class QLabel;
class QProgressBar;
class QPushButton;
class QStackedLayout;
class QToolButton;
class QVBoxLayout;

namespace meanflow::ui {

class Banner;
class EmptyState;
class StageCard;
class Theme;

/// The run at a glance: its state, its stages as cards, and the buttons that steer it.
class PipelinePanel final : public QWidget {
  Q_OBJECT
 public:
  PipelinePanel(const Theme& theme, RunController& controller, QWidget* parent = nullptr);

  void setSource(RunSource* source);
  /// The settings of the run on show: which stages are taken from checkpoints.
  void setConfig(const base::RunConfig& config);
  /// Asks before a run is thrown away; returns true to go on. Replaced by tests.
  void setConfirmDiscard(std::function<bool()> confirm) { confirm_discard_ = std::move(confirm); }

 public Q_SLOTS:
  void refresh();
  void askDiscard();

 Q_SIGNALS:
  void startRequested();

 private:
  void buildButtons(QVBoxLayout* layout);
  void refreshButtons();
  void refreshCards();

  const Theme& theme_;
  RunController& controller_;
  QPointer<RunSource> source_;
  std::function<bool()> confirm_discard_;
  QStackedLayout* stack_;
  EmptyState* empty_;
  QLabel* name_;
  QLabel* state_;
  QLabel* overall_;
  QProgressBar* work_bar_;
  Banner* banner_;
  QPushButton* start_;
  QPushButton* pause_;
  QPushButton* resume_;
  QPushButton* stop_;
  QToolButton* save_;
  QToolButton* discard_;
  QVBoxLayout* cards_layout_;
  std::vector<StageCard*> cards_;
  std::map<std::string, QString> imported_;  ///< By stage.
};

}  // namespace meanflow::ui
