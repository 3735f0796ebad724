// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/window/panel_set.h"

#include <QDesktopServices>
#include <QSplitter>
#include <QUrl>
#include <QVBoxLayout>

#include "ui/config/config_panel.h"
#include "ui/models/system_monitor.h"
#include "ui/panels/alarms_panel.h"
#include "ui/panels/bias_variance_panel.h"
#include "ui/panels/checkpoints_panel.h"
#include "ui/panels/class_grid_panel.h"
#include "ui/panels/class_map_panel.h"
#include "ui/panels/curves_panel.h"
#include "ui/panels/data_panel.h"
#include "ui/panels/evaluation_panel.h"
#include "ui/panels/finite_difference_panel.h"
#include "ui/panels/gradients_panel.h"
#include "ui/panels/log_panel.h"
#include "ui/panels/pipeline_panel.h"
#include "ui/panels/queue_panel.h"
#include "ui/panels/replay_strip.h"
#include "ui/panels/runs_panel.h"
#include "ui/panels/step_timeline.h"
#include "ui/panels/system_panel.h"
#include "ui/panels/time_figures_panel.h"
#include "ui/panes/cmt_matrix_pane.h"
#include "ui/panes/sample_grid_pane.h"
#include "ui/panes/trajectory_pane.h"
#include "ui/viewer_panes.h"
#include "ui/window/workspace_layout.h"

namespace meanflow::ui {

PanelSet::PanelSet(const Theme& theme, RunController& controller, RunCatalog& catalog, RecentRuns& recent,
                   RunQueue& queued_runs, StepTimeline& timeline, WorkspaceLayout& layout, QObject* parent)
    : QObject(parent),
      pipeline(new PipelinePanel(theme, controller)),
      config(new ConfigPanel(theme, controller)),
      curves(new CurvesPanel(theme)),
      log(new LogPanel(theme)),
      runs(new RunsPanel(theme, catalog, recent, false)),
      queue(new QueuePanel(theme, queued_runs)),
      viewers(new ViewerPanes(timeline, this)),
      class_grids(new ClassGridPanel(theme)),
      checkpoints(new CheckpointsPanel(theme)),
      system(new SystemPanel(theme, *new SystemMonitor(SystemMonitor::machineProbe(), this))),
      gradients(new GradientsPanel(theme)),
      bias_variance(new BiasVariancePanel(theme)),
      class_map(new ClassMapPanel(theme)),
      evaluation(new EvaluationPanel(theme)),
      data(new DataPanel(theme)),
      alarms(new AlarmsPanel(theme)),
      replay(new ReplayStrip(theme)),
      finite_difference(new FiniteDifferencePanel(theme, controller)),
      time_figures(new TimeFiguresPanel(theme)),
      timeline_(timeline),
      layout_(layout) {
  dock();
  connectPanels();
}

void PanelSet::dock() {
  const auto add = [this](const char* name, const QString& title, QWidget* content, const QString& tip) {
    layout_.addDock(QString::fromLatin1(name), title, content, tip);
  };
  add("pipeline", tr("Pipeline"), pipeline, tr("The stages of the run and the buttons that steer it"));
  add("config", tr("Configuration"), config,
      tr("The settings of a new run, or of the run on show as they were in force at the cursor"));
  add("curves", tr("Curves"), curves, tr("Loss, gradient norm and any other scalar"));
  add("samples", tr("Samples"), viewers->samples(),
      tr("Samples of every class on the same noise, at every step saved"));
  add("class_grids", tr("Class grids"), class_grids,
      tr("Images on request: classes, seeds, steps and weights of your choice"));
  add("trajectory", tr("Trajectory"), viewers->trajectory(),
      tr("The teacher's path from noise to image, and the student's jumps"));
  add("cmt", tr("CMT errors"), viewers->cmtMatrix(),
      tr("Where over (t_i, t_j) the student's jumps miss the teacher's path"));
  add("log", tr("Log"), log, tr("What the run says"));
  auto* both = new QSplitter(Qt::Vertical);
  both->addWidget(runs);
  both->addWidget(queue);
  both->setStretchFactor(0, 3);
  both->setStretchFactor(1, 2);
  both->setChildrenCollapsible(false);
  add("runs", tr("Runs"), both, tr("Your runs with their notes, and the queue"));
  add("checkpoints", tr("Checkpoints"), checkpoints,
      tr("What the run has saved: sizes, values, scores; make images, compare, export, delete"));
  add("system", tr("System"), system, tr("Processor, memory, disk and GPUs, and the speed of the run"));
  add("gradients", tr("Gradients"), gradients,
      tr("Gradient, update and parameter norm of every block over the steps; clipped steps and spikes"));
  add("bias_variance", tr("Bias and variance"), bias_variance,
      tr("What the run's velocity costs: variance, the teacher's error, the network's own bias"));
  add("class_map", tr("Classes"), class_map,
      tr("How well each class is recognised, and which were won or lost between stages"));
  add("evaluation", tr("Evaluation"), evaluation,
      tr("Scores of the run and of others beside it, each with a card that says how it was made"));
  add("data", tr("Data"), data,
      tr("Classes and images of the data set, what the decoder makes of them, latent statistics"));
  auto* watched = new QWidget;
  auto* column = new QVBoxLayout(watched);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(4);
  column->addWidget(alarms, 1);
  column->addWidget(replay);
  add("alarms", tr("Alarms"), watched,
      tr("What left its normal range, what was done about it, and what a replay of the step found"));
  add("finite_difference", tr("Finite difference"), finite_difference,
      tr("How good du/dt is at the step delta_t in use, and which step would be better"));
  add("time_figures", tr("Figures by time"), time_figures,
      tr("Loss, target, du/dt and teacher by the time t and by the length t - r of the interval"));
}

void PanelSet::connectPanels() {
  connect(runs, &RunsPanel::overlayChanged, curves, &CurvesPanel::setOverlays);
  connect(runs, &RunsPanel::overlayChanged, evaluation, &EvaluationPanel::setOverlays);
  data->setDraft([this] { return config->draft().yaml(); });
  connect(&config->draft(), &ConfigDraft::edited, data, &DataPanel::draftChanged);
  connect(&config->draft(), &ConfigDraft::replaced, data, &DataPanel::draftChanged);
  connect(checkpoints, &CheckpointsPanel::sampleRequested, this, [this](const QString& path) {
    layout_.bringUp(QStringLiteral("class_grids"));
    class_grids->useCheckpoints(path, {});
  });
  connect(checkpoints, &CheckpointsPanel::compareRequested, this, [this](const QString& first, const QString& second) {
    layout_.bringUp(QStringLiteral("class_grids"));
    class_grids->useCheckpoints(first, second);
  });
  connect(&config->runSettings(), &RunSettings::changed, this, &PanelSet::onSettingsKnown);
  connect(&estimate_, &RunEstimate::arrived, curves, &CurvesPanel::setEstimate);
  connect(curves, &CurvesPanel::stepPicked, &timeline_, &StepTimeline::setCursor);
  connect(&timeline_, &StepTimeline::cursorMoved, curves, &CurvesPanel::showStep);
  connect(&timeline_, &StepTimeline::cursorMoved, config, &ConfigPanel::showStep);
  connect(gradients, &GradientsPanel::stepPicked, &timeline_, &StepTimeline::setCursor);
  connect(&timeline_, &StepTimeline::cursorMoved, gradients, &GradientsPanel::showStep);
  for (StepPanel* panel : {static_cast<StepPanel*>(alarms), static_cast<StepPanel*>(bias_variance),
                           static_cast<StepPanel*>(finite_difference), static_cast<StepPanel*>(time_figures)}) {
    connect(panel, &StepPanel::stepPicked, &timeline_, &StepTimeline::setCursor);
    connect(&timeline_, &StepTimeline::cursorMoved, panel, &StepPanel::showStep);
  }
  const auto open = [](const QString& folder) { QDesktopServices::openUrl(QUrl::fromLocalFile(folder)); };
  connect(alarms, &AlarmsPanel::openRequested, this, open);
  connect(replay, &ReplayStrip::openRequested, this, open);
  connect(class_map, &ClassMapPanel::classChosen, this, [this](int label) {
    layout_.bringUp(QStringLiteral("class_grids"));
    class_grids->showClass(label);
  });
  connect(&timeline_, &StepTimeline::cursorMoved, this, [this](const QString& stage, qint64 step, bool is_live) {
    if (is_live) {
      if (!log->isFollowing()) log->setFollowing(true);
    } else {
      log->showStep({stage.toStdString(), step});
    }
  });
}

void PanelSet::onSettingsKnown() {
  const auto& settings = config->runSettings();
  curves->setImagesAnEpoch(settings.isKnown() ? static_cast<double>(settings.newest().data.num_images) : 0);
  pipeline->setConfig(settings.isKnown() ? settings.newest() : base::RunConfig{});
  if (settings.isKnown() && source_) estimate_.setRun(settings.newest(), source_->summary().device);
}

void PanelSet::setHost(base::TrainingHost* host) {
  class_grids->setHost(host);
  estimate_.setHost(host);
  config->setHost(host);
  checkpoints->setHost(host);
  data->setHost(host);
  evaluation->setObstacle(host ? QString() : tr("the training library is not loaded (yet)"));
}

void PanelSet::setSource(RunSource* source) {
  source_ = source;
  estimate_.clear();
  pipeline->setSource(source);
  config->setSource(source);
  curves->setSource(source);
  log->setSource(source);
  viewers->setSource(source);
  class_grids->setSource(source);
  checkpoints->setSource(source);
  system->setSource(source);
  gradients->setSource(source);
  bias_variance->setSource(source);
  class_map->setSource(source);
  evaluation->setSource(source);
  data->setSource(source);
  alarms->setSource(source);
  finite_difference->setSource(source);
  time_figures->setSource(source);
}

}  // namespace meanflow::ui
