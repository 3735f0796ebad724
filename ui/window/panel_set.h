// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QObject>
#include <QPointer>

#include "ui/models/run_estimate.h"
#include "ui/models/run_source.h"

class QDockWidget;
class QString;

namespace meanflow::base {
class TrainingHost;
}

namespace meanflow::ui {

class AlarmsPanel;
class BiasVariancePanel;
class CheckpointsPanel;
class ClassGridPanel;
class ClassMapPanel;
class ConfigPanel;
class CurvesPanel;
class FiniteDifferencePanel;
class GradientsPanel;
class DataPanel;
class EvaluationPanel;
class LogPanel;
class PipelinePanel;
class QueuePanel;
class RecentRuns;
class ReplayStrip;
class RunCatalog;
class RunController;
class RunQueue;
class RunsPanel;
class StepTimeline;
class SystemPanel;
class Theme;
class TimeFiguresPanel;
class ViewerPanes;
class WorkspaceLayout;

/// The docked panels, and what they tell each other: which run is on show, where the step cursor is, which checkpoint
/// to make images from. A new panel is made, docked and handed its run here; the window knows of it only what menus
/// need. The panels belong to their docks.
class PanelSet final : public QObject {
  Q_OBJECT
 public:
  PanelSet(const Theme& theme, RunController& controller, RunCatalog& catalog, RecentRuns& recent, RunQueue& queue,
           StepTimeline& timeline, WorkspaceLayout& layout, QObject* parent = nullptr);

  void setHost(base::TrainingHost* host);
  void setSource(RunSource* source);

  PipelinePanel* const pipeline;
  ConfigPanel* const config;
  CurvesPanel* const curves;
  LogPanel* const log;
  RunsPanel* const runs;
  QueuePanel* const queue;
  ViewerPanes* const viewers;
  ClassGridPanel* const class_grids;
  CheckpointsPanel* const checkpoints;
  SystemPanel* const system;
  GradientsPanel* const gradients;
  BiasVariancePanel* const bias_variance;
  ClassMapPanel* const class_map;
  EvaluationPanel* const evaluation;
  DataPanel* const data;
  AlarmsPanel* const alarms;
  ReplayStrip* const replay;  ///< Below the alarms.
  FiniteDifferencePanel* const finite_difference;
  TimeFiguresPanel* const time_figures;

 private:
  void dock();
  void connectPanels();
  void onSettingsKnown();

  StepTimeline& timeline_;
  WorkspaceLayout& layout_;
  RunEstimate estimate_;
  QPointer<RunSource> source_;
};

}  // namespace meanflow::ui
