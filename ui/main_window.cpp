// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/main_window.h"

#include <QAction>
#include <QActionGroup>
#include <QApplication>
#include <QCloseEvent>
#include <QDateTime>
#include <QDir>
#include <QDockWidget>
#include <QDragEnterEvent>
#include <QFileDialog>
#include <QFileInfo>
#include <QLabel>
#include <QMenuBar>
#include <QMessageBox>
#include <QMimeData>
#include <QPointer>
#include <QProgressDialog>
#include <QPushButton>
#include <QScreen>
#include <QSettings>
#include <QStackedWidget>
#include <QStandardPaths>
#include <QStatusBar>
#include <QTabBar>
#include <QTimer>
#include <QVBoxLayout>

#include "core/base/run/run_state.h"
#include "ui/models/live_run_source.h"
#include "ui/models/recorded_run_source.h"
#include "ui/panels/curves_panel.h"
#include "ui/panels/empty_state.h"
#include "ui/panels/log_panel.h"
#include "ui/panels/pipeline_panel.h"
#include "ui/panels/runs_panel.h"
#include "ui/panels/step_timeline.h"
#include "ui/panels/welcome_page.h"
#include "ui/panes/cmt_matrix_pane.h"
#include "ui/panes/sample_grid_pane.h"
#include "ui/panes/trajectory_pane.h"
#include "ui/theme/format.h"
#include "ui/theme/theme.h"
#include "ui/viewer_panes.h"

namespace meanflow::ui {
namespace {

constexpr int kLayoutVersion = 1;

QString layoutKey(MainWindow::Perspective perspective) {
  static constexpr const char* kNames[] = {"train", "diagnose", "sample"};
  return QStringLiteral("layout/") + QLatin1String(kNames[static_cast<int>(perspective)]);
}

QDockWidget* findDock(const std::vector<QDockWidget*>& docks, const char* name) {
  for (auto* dock : docks) {
    if (dock->objectName() == QLatin1String(name)) return dock;
  }
  return nullptr;
}

/// The folder a dropped or chosen thing stands for: itself, or the folder of a file inside a run.
QString runFolderOf(const QString& path) {
  const QFileInfo info(path);
  return info.isFile() && info.fileName() == QLatin1String("events.jsonl") ? info.absolutePath()
                                                                           : info.absoluteFilePath();
}

}  // namespace

MainWindow::MainWindow(Theme& theme, QSettings& settings, TrainingHostFactory factory, QWidget* parent)
    : QMainWindow(parent),
      theme_(theme),
      settings_(settings),
      factory_(std::move(factory)),
      recent_(settings),
      banner_(new Banner(theme, true)),
      pages_(new QStackedWidget),
      welcome_(new WelcomePage(theme, recent_)),
      workspace_(new QMainWindow),
      timeline_(new StepTimeline(theme)),
      pipeline_(new PipelinePanel(theme, controller_)),
      curves_(new CurvesPanel(theme)),
      log_(new LogPanel(theme)),
      runs_(new RunsPanel(theme, recent_)),
      viewers_(new ViewerPanes(*timeline_, this)),
      device_label_(new QLabel),
      rate_label_(new QLabel),
      watching_label_(new QLabel),
      saved_label_(new QLabel),
      state_label_(new QLabel) {
  setWindowIcon(Theme::applicationIcon());
  setAcceptDrops(true);
  workspace_->setWindowFlags(Qt::Widget);
  workspace_->setDockNestingEnabled(true);
  workspace_->setDockOptions(QMainWindow::AnimatedDocks | QMainWindow::AllowNestedDocks |
                             QMainWindow::AllowTabbedDocks);
  auto* central = new QWidget;
  auto* layout = new QVBoxLayout(central);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->setSpacing(0);
  layout->addWidget(banner_);
  layout->addWidget(pages_, 1);
  layout->addWidget(timeline_);
  pages_->addWidget(welcome_);
  pages_->addWidget(workspace_);
  setCentralWidget(central);
  timeline_->hide();

  buildDocks();
  buildMenus();
  buildStatusBar();
  connect(welcome_, &WelcomePage::demoRequested, this, &MainWindow::startDemo);
  connect(welcome_, &WelcomePage::openFolderRequested, this, &MainWindow::askOpenFolder);
  connect(welcome_, &WelcomePage::openRequested, this, &MainWindow::openFolder);
  connect(runs_, &RunsPanel::openRequested, this, &MainWindow::openFolder);
  connect(pipeline_, &PipelinePanel::startRequested, this, &MainWindow::startOrContinue);
  connect(curves_, &CurvesPanel::stepPicked, timeline_, &StepTimeline::setCursor);
  connect(timeline_, &StepTimeline::cursorMoved, curves_, &CurvesPanel::showStep);
  connect(timeline_, &StepTimeline::cursorMoved, this, [this](const QString& stage, qint64 step, bool is_live) {
    if (is_live) {
      if (!log_->isFollowing()) log_->setFollowing(true);
    } else {
      log_->showStep({stage.toStdString(), step});
    }
  });
  connect(&controller_, &RunController::actionsChanged, this, &MainWindow::refreshActions);
  connect(&controller_, &RunController::refused, this, [this](const QString& sentence) { say(sentence, true); });

  resize(1280, 720);
  if (const auto geometry = settings_.value(QStringLiteral("geometry")).toByteArray(); !geometry.isEmpty())
    restoreGeometry(geometry);
  perspective_ = static_cast<Perspective>(
      std::clamp(settings_.value(QStringLiteral("perspective"), 0).toInt(), 0, kNumPerspectives - 1));
  perspective_actions_[static_cast<std::size_t>(perspective_)]->setChecked(true);
  refreshActions();
  refreshStatus();
  refreshTitle();
}

MainWindow::~MainWindow() {
  if (loader_.joinable()) loader_.join();
  controller_.setHost(nullptr);
  host_.reset();  // stops a run that is still live and joins its threads; the source's queue outlives them
  setSource(nullptr);
}

QDockWidget* MainWindow::addDock(const QString& name, const QString& title, QWidget* content, const QString& tip) {
  auto* dock = new QDockWidget(title, workspace_);
  dock->setObjectName(name);
  dock->setWidget(content);
  dock->setToolTip(QString());
  dock->toggleViewAction()->setToolTip(tip);
  dock->toggleViewAction()->setStatusTip(tip);
  docks_.push_back(dock);
  return dock;
}

void MainWindow::buildDocks() {
  addDock(QStringLiteral("pipeline"), tr("Pipeline"), pipeline_,
          tr("The stages of the run and the buttons that steer it"));
  addDock(QStringLiteral("samples"), tr("Samples"), viewers_->samples(),
          tr("Samples of every class on the same noise, at every step saved"));
  addDock(QStringLiteral("trajectory"), tr("Trajectory"), viewers_->trajectory(),
          tr("The teacher's path from noise to image, and the student's jumps"));
  addDock(QStringLiteral("cmt"), tr("CMT errors"), viewers_->cmtMatrix(),
          tr("Where over (t_i, t_j) the student's jumps miss the teacher's path"));
  addDock(QStringLiteral("curves"), tr("Curves"), curves_, tr("Loss, gradient norm and any other scalar"));
  addDock(QStringLiteral("log"), tr("Log"), log_, tr("What the run says"));
  addDock(QStringLiteral("runs"), tr("Runs"), runs_, tr("Runs opened lately"));
}

QAction* MainWindow::addAction(QMenu* menu, const QString& icon, const QString& text, const QKeySequence& shortcut,
                               const QString& tip) {
  auto* action = menu->addAction(text);
  if (!icon.isEmpty()) action->setIcon(theme_.icon(icon));
  action->setShortcut(shortcut);
  action->setToolTip(tip);
  action->setStatusTip(tip);
  return action;
}

void MainWindow::buildMenus() {
  auto* file = menuBar()->addMenu(tr("&File"));
  demo_action_ = addAction(file, QStringLiteral("demo"), tr("Run the &demo"), QKeySequence(tr("Ctrl+D")),
                           tr("Train the whole pipeline on embedded emoji, in minutes"));
  connect(demo_action_, &QAction::triggered, this, &MainWindow::startDemo);
  connect(addAction(file, QStringLiteral("open"), tr("&Open run folder…"), QKeySequence::Open,
                    tr("Open a run, finished or being trained right now")),
          &QAction::triggered, this, &MainWindow::askOpenFolder);
  recent_menu_ = file->addMenu(theme_.icon(QStringLiteral("folder")), tr("&Recent runs"));
  const auto fill_recent = [this] {
    recent_menu_->clear();
    for (const auto& folder : recent_.folders()) {
      connect(recent_menu_->addAction(folder), &QAction::triggered, this, [this, folder] { openFolder(folder); });
    }
    recent_menu_->setEnabled(!recent_.folders().isEmpty());
  };
  connect(&recent_, &RecentRuns::changed, this, fill_recent);
  fill_recent();
  close_run_action_ = addAction(file, {}, tr("&Close run"), QKeySequence(tr("Ctrl+W")),
                                tr("Back to the welcome page; a run elsewhere goes on"));
  connect(close_run_action_, &QAction::triggered, this, &MainWindow::closeRun);
  file->addSeparator();
  export_action_ = addAction(file, QStringLiteral("export"), tr("&Export curves…"), QKeySequence(tr("Ctrl+E")),
                             tr("Save the curves as PNG, SVG or CSV"));
  connect(export_action_, &QAction::triggered, curves_, &CurvesPanel::askExport);
  file->addSeparator();
  connect(addAction(file, {}, tr("&Quit"), QKeySequence(tr("Ctrl+Q")),
                    tr("Close the window; a live run is stopped and saved first")),
          &QAction::triggered, this, &QWidget::close);

  auto* run = menuBar()->addMenu(tr("&Run"));
  start_action_ = addAction(run, QStringLiteral("play"), tr("S&tart"), QKeySequence(tr("Ctrl+Return")),
                            tr("Start a run, or continue this one from its last checkpoint"));
  pause_action_ = addAction(run, QStringLiteral("pause"), tr("&Pause"), QKeySequence(tr("Ctrl+P")),
                            tr("Hold after the current step, or go on"));
  save_action_ = addAction(run, QStringLiteral("save"), tr("&Save now"), QKeySequence(tr("Ctrl+S")),
                           tr("Write a checkpoint now and go on"));
  stop_action_ = addAction(run, QStringLiteral("stop"), tr("St&op and save"), QKeySequence(tr("Ctrl+Shift+S")),
                           tr("Write a checkpoint, then end the run"));
  discard_action_ = addAction(run, QStringLiteral("discard"), tr("&Discard…"), QKeySequence(tr("Ctrl+Shift+Backspace")),
                              tr("End the run at once without saving"));
  connect(start_action_, &QAction::triggered, this, &MainWindow::startOrContinue);
  connect(pause_action_, &QAction::triggered, this, [this] {
    if (controller_.actions().can_resume)
      controller_.resume();
    else if (controller_.actions().can_pause)
      controller_.pause();
  });
  connect(save_action_, &QAction::triggered, &controller_, &RunController::saveNow);
  connect(stop_action_, &QAction::triggered, &controller_, &RunController::stopAndSave);
  connect(discard_action_, &QAction::triggered, pipeline_, &PipelinePanel::askDiscard);

  auto* view = menuBar()->addMenu(tr("&View"));
  auto* group = new QActionGroup(this);
  const std::array<std::pair<QString, QString>, kNumPerspectives> perspectives = {
      {{tr("&Train"), tr("Pipeline, samples, curves and log")},
       {tr("&Diagnose"), tr("Curves large, with log and CMT errors")},
       {tr("&Sample"), tr("Samples and trajectories large")}}};
  for (int i = 0; i < kNumPerspectives; ++i) {
    const auto n = static_cast<std::size_t>(i);
    auto* action = addAction(view, {}, perspectives[n].first, QKeySequence(QStringLiteral("Ctrl+%1").arg(i + 1)),
                             perspectives[n].second);
    action->setCheckable(true);
    group->addAction(action);
    perspective_actions_[n] = action;
    connect(action, &QAction::triggered, this, [this, i] { setPerspective(static_cast<Perspective>(i)); });
  }
  view->addSeparator();
  docks_menu_ = view->addMenu(tr("&Panels"));
  for (auto* dock : docks_) docks_menu_->addAction(dock->toggleViewAction());
  connect(addAction(view, QStringLiteral("refresh"), tr("&Reset layout"), QKeySequence(tr("Ctrl+Shift+R")),
                    tr("Put the panels of this perspective back where they were at first")),
          &QAction::triggered, this, &MainWindow::resetLayout);
  view->addSeparator();
  connect(addAction(view, QStringLiteral("live"), tr("&Live"), QKeySequence(tr("Ctrl+L")),
                    tr("Keep everything at the newest step")),
          &QAction::triggered, timeline_, [this] { timeline_->setLive(true); });
  connect(addAction(view, QStringLiteral("previous"), tr("Pre&vious mark"), QKeySequence(tr("Alt+Left")),
                    tr("To the checkpoint or sample grid before")),
          &QAction::triggered, timeline_, &StepTimeline::goToPreviousMark);
  connect(addAction(view, QStringLiteral("next"), tr("&Next mark"), QKeySequence(tr("Alt+Right")),
                    tr("To the next checkpoint or sample grid")),
          &QAction::triggered, timeline_, &StepTimeline::goToNextMark);
  connect(addAction(view, {}, tr("&Filter the log"), QKeySequence::Find, tr("Show only log lines with a text")),
          &QAction::triggered, this, [this] {
            auto* dock = findDock(docks_, "log");
            dock->show();
            dock->raise();
            log_->focusFilter();
          });
  view->addSeparator();
  auto* themes = view->addMenu(tr("T&heme"));
  auto* theme_group = new QActionGroup(this);
  const std::array<std::pair<QString, ThemeChoice>, 3> choices = {
      {{tr("&System"), ThemeChoice::kSystem}, {tr("&Light"), ThemeChoice::kLight}, {tr("&Dark"), ThemeChoice::kDark}}};
  for (const auto& [text, choice] : choices) {
    auto* action = addAction(themes, {}, text, {}, tr("Colours of the window"));
    action->setCheckable(true);
    action->setChecked(choice == theme_.choice());
    theme_group->addAction(action);
    connect(action, &QAction::triggered, this, [this, choice = choice] {
      theme_.setChoice(choice);
      settings_.setValue(QStringLiteral("theme"), static_cast<int>(choice));
    });
  }

  auto* help = menuBar()->addMenu(tr("&Help"));
  connect(addAction(help, {}, tr("&About MeanFlow Studio"), {}, tr("What this program is")), &QAction::triggered, this,
          [this] {
            QMessageBox::about(
                this, tr("About MeanFlow Studio"),
                tr("<b>MeanFlow Studio %1</b><p>Trains MeanFlow transformers on representation autoencoders, and shows "
                   "the training while it runs.</p><p>The studio is free software under the GNU General Public License "
                   "3 or later; its training core is under the Apache License 2.0.</p>")
                    .arg(QApplication::applicationVersion()));
          });
  connect(addAction(help, {}, tr("About &Qt"), {}, tr("The toolkit of this window")), &QAction::triggered, qApp,
          &QApplication::aboutQt);
}

void MainWindow::buildStatusBar() {
  statusBar()->setSizeGripEnabled(false);
  device_label_->setToolTip(tr("Where the run trains, and with how many workers"));
  rate_label_->setToolTip(tr("Optimizer steps a second"));
  watching_label_->setToolTip(
      tr("What live samples and pictures have cost, as a share of training time, and their budget"));
  saved_label_->setToolTip(tr("What would be lost if the run ended now"));
  state_label_->setToolTip(tr("What the run is doing, as it says itself"));
  for (auto* label : {state_label_, device_label_, rate_label_, watching_label_, saved_label_})
    statusBar()->addPermanentWidget(label);
}

void MainWindow::layOutDefault(Perspective perspective) {
  auto* pipeline = findDock(docks_, "pipeline");
  auto* samples = findDock(docks_, "samples");
  auto* trajectory = findDock(docks_, "trajectory");
  auto* cmt = findDock(docks_, "cmt");
  auto* curves = findDock(docks_, "curves");
  auto* log = findDock(docks_, "log");
  auto* runs = findDock(docks_, "runs");
  // Every panel has a place in every perspective, hidden or not: a layout kept without one would not put it away again.
  for (auto* dock : docks_) {
    dock->setFloating(false);
    workspace_->removeDockWidget(dock);
    workspace_->addDockWidget(Qt::LeftDockWidgetArea, dock);
    dock->hide();
  }
  const auto show = [](std::initializer_list<QDockWidget*> docks) {
    for (auto* dock : docks) dock->show();
  };
  const int width = workspace_->width();
  const int height = workspace_->height();
  switch (perspective) {
    case Perspective::kTrain:
      workspace_->splitDockWidget(pipeline, samples, Qt::Horizontal);
      workspace_->splitDockWidget(samples, curves, Qt::Horizontal);
      workspace_->splitDockWidget(curves, log, Qt::Vertical);
      workspace_->tabifyDockWidget(samples, trajectory);
      workspace_->tabifyDockWidget(samples, cmt);
      workspace_->tabifyDockWidget(pipeline, runs);
      show({pipeline, samples, curves, log, trajectory, cmt, runs});
      workspace_->resizeDocks({pipeline, samples, curves}, {300, (width - 300) * 48 / 100, (width - 300) * 52 / 100},
                              Qt::Horizontal);
      workspace_->resizeDocks({curves, log}, {height * 70 / 100, height * 30 / 100}, Qt::Vertical);
      samples->raise();
      pipeline->raise();
      break;
    case Perspective::kDiagnose:
      workspace_->splitDockWidget(pipeline, curves, Qt::Horizontal);
      workspace_->splitDockWidget(curves, cmt, Qt::Horizontal);
      workspace_->splitDockWidget(curves, log, Qt::Vertical);
      workspace_->tabifyDockWidget(cmt, samples);
      workspace_->tabifyDockWidget(cmt, trajectory);
      workspace_->tabifyDockWidget(pipeline, runs);
      show({pipeline, curves, cmt, log});
      workspace_->resizeDocks({pipeline, curves, cmt}, {300, (width - 300) * 60 / 100, (width - 300) * 40 / 100},
                              Qt::Horizontal);
      break;
    case Perspective::kSample:
      workspace_->splitDockWidget(pipeline, samples, Qt::Horizontal);
      workspace_->splitDockWidget(samples, trajectory, Qt::Horizontal);
      workspace_->tabifyDockWidget(trajectory, cmt);
      workspace_->tabifyDockWidget(trajectory, curves);
      workspace_->tabifyDockWidget(trajectory, log);
      workspace_->tabifyDockWidget(pipeline, runs);
      show({pipeline, samples, trajectory});
      workspace_->resizeDocks({pipeline, samples, trajectory}, {300, (width - 300) / 2, (width - 300) / 2},
                              Qt::Horizontal);
      break;
  }
}

void MainWindow::saveLayout() {
  if (is_layout_ready_) settings_.setValue(layoutKey(perspective_), workspace_->saveState(kLayoutVersion));
  settings_.setValue(QStringLiteral("geometry"), saveGeometry());
  settings_.setValue(QStringLiteral("perspective"), static_cast<int>(perspective_));
}

void MainWindow::restoreLayout(Perspective perspective) {
  const auto state = settings_.value(layoutKey(perspective)).toByteArray();
  if (state.isEmpty() || !workspace_->restoreState(state, kLayoutVersion)) layOutDefault(perspective);
  is_layout_ready_ = true;
  // The tab bars are made by the main window when it lays itself out.
  QTimer::singleShot(0, this, [this] {
    for (auto* tabs : workspace_->findChildren<QTabBar*>()) tabs->setAccessibleName(tr("Panels in this place"));
  });
}

void MainWindow::setPerspective(Perspective perspective) {
  saveLayout();
  perspective_ = perspective;
  perspective_actions_[static_cast<std::size_t>(perspective)]->setChecked(true);
  if (source_) restoreLayout(perspective);
}

void MainWindow::resetLayout() {
  settings_.remove(layoutKey(perspective_));
  layOutDefault(perspective_);
}

void MainWindow::say(const QString& message, bool is_error) { banner_->showMessage(message, is_error); }

QString MainWindow::bannerMessage() const {
  return banner_->isVisibleTo(centralWidget()) ? banner_->message() : QString();
}

void MainWindow::loadTrainingLibrary() {
  if (is_library_loading_ || host_) return;
  if (!factory_) {
    onHostLoaded(nullptr, tr("This build has no training library: runs can be looked at, not trained."));
    return;
  }
  is_library_loading_ = true;
  welcome_->setTrainingProblem({}, true);
  loader_ = std::jthread([this] {
    QString error;
    auto* host = factory_(&error);
    QMetaObject::invokeMethod(
        this, [this, host, error] { onHostLoaded(host, error); }, Qt::QueuedConnection);
  });
}

void MainWindow::onHostLoaded(base::TrainingHost* host, const QString& error) {
  is_library_loading_ = false;
  host_.reset(host);
  training_problem_ = host ? QString() : (error.isEmpty() ? tr("The training library could not be opened.") : error);
  controller_.setHost(host);
  welcome_->setTrainingProblem(training_problem_, false);
  refreshActions();
  Q_EMIT trainingReady();
  if (std::exchange(wants_demo_, false)) startDemo();
}

bool MainWindow::hasLiveRun() const {
  return source_ && source_->isLive() && host_ &&
         (!base::isEnded(host_->state()) || !base::isEnded(source_->summary().state));
}

void MainWindow::setSource(std::unique_ptr<RunSource> source) {
  pipeline_->setSource(source.get());
  curves_->setSource(source.get());
  log_->setSource(source.get());
  viewers_->setSource(source.get());
  controller_.setSource(source.get());
  timeline_->setSource(source.get());  // after its readers: it tells them where the cursor is
  source_ = std::move(source);
  if (source_) {
    connect(source_.get(), &RunSource::changed, this, &MainWindow::onSourceChanged);
    connect(source_.get(), &RunSource::troubleChanged, this, [this](const QString& trouble) {
      if (!trouble.isEmpty())
        say(trouble, true);
      else
        banner_->hide();
      refreshStatus();
    });
    connect(source_.get(), &RunSource::loadingFinished, this, &MainWindow::refreshStatus);
    const bool was_welcome = pages_->currentWidget() != workspace_;
    pages_->setCurrentWidget(workspace_);
    timeline_->show();
    if (was_welcome || !is_layout_ready_) {
      // The workspace has its real size only once the page is laid out.
      centralWidget()->layout()->activate();
      restoreLayout(perspective_);
    }
  } else if (!is_closing_) {
    if (is_layout_ready_) saveLayout();
    pages_->setCurrentWidget(welcome_);
    timeline_->hide();
  }
  refreshActions();
  refreshStatus();
  refreshTitle();
}

void MainWindow::openFolder(const QString& path) {
  const QString folder = runFolderOf(path);
  if (hasLiveRun()) {
    say(tr("A run is being trained in this window. Stop it first, or open %1 in a second window.").arg(folder), false);
    return;
  }
  if (const auto checked = RecordedRunSource::check(folder); !checked.ok()) {
    say(QString::fromStdString(checked.error().message), true);
    return;
  }
  banner_->hide();
  recent_.add(folder);
  setSource(std::make_unique<RecordedRunSource>(folder));
}

void MainWindow::askOpenFolder() {
  const QString start = settings_.value(QStringLiteral("last_folder"), QDir::homePath()).toString();
  const QString folder = QFileDialog::getExistingDirectory(this, tr("Open a run folder"), start);
  if (folder.isEmpty()) return;
  settings_.setValue(QStringLiteral("last_folder"), QFileInfo(folder).absolutePath());
  openFolder(folder);
}

void MainWindow::startDemo() {
  if (!host_) {
    if (is_library_loading_)
      wants_demo_ = true;
    else
      say(training_problem_.isEmpty() ? tr("The training library is not loaded yet; try again in a moment.")
                                      : training_problem_,
          true);
    return;
  }
  if (hasLiveRun()) {
    say(tr("A run is already being trained in this window; stop it first."), false);
    return;
  }
  QString folder = demo_options_.out_folder;
  if (folder.isEmpty()) {
    folder = QStandardPaths::writableLocation(QStandardPaths::GenericDataLocation) +
             QStringLiteral("/meanflow-studio/runs/demo-") +
             QDateTime::currentDateTime().toString(QStringLiteral("yyyyMMdd-HHmmss"));
  }
  base::RunRequest request;
  request.run_folder = folder.toStdString();
  request.config = demo_options_.config.toStdString();
  for (const auto& text : demo_options_.overrides) request.overrides.push_back(text.toStdString());
  startRun(request, nullptr);
}

void MainWindow::startOrContinue() {
  if (!controller_.actions().can_start) return;
  if (!source_) {
    startDemo();
    return;
  }
  base::RunRequest request;
  request.run_folder = source_->folder().toStdString();
  startRun(request, source_.get());
}

void MainWindow::startRun(const base::RunRequest& request, RunSource* history) {
  const QString folder = QString::fromStdString(request.run_folder);
  auto source = std::make_unique<LiveRunSource>(folder);
  const auto started = host_->start(request, source->sink());
  if (!started.ok()) {
    say(QString::fromStdString(started.error().message), true);
    return;
  }
  // Nothing has been folded yet: events wait in the queue until control returns to the event loop.
  if (history) source->continueFrom(*history);
  banner_->hide();
  recent_.add(folder);
  setSource(std::move(source));
}

void MainWindow::closeRun() {
  if (hasLiveRun()) {
    say(tr("This run is being trained in this window. Stop and save it first."), false);
    return;
  }
  banner_->hide();
  setSource(nullptr);
}

void MainWindow::onSourceChanged(StoreKind kind) {
  if (kind != StoreKind::kSummary) return;
  refreshStatus();
  refreshTitle();
}

void MainWindow::refreshTitle() {
  const QString name = source_ ? QString::fromStdString(source_->summary().run_name) : QString();
  const QString shown = name.isEmpty() && source_ ? QFileInfo(source_->folder()).fileName() : name;
  setWindowTitle(shown.isEmpty() ? tr("MeanFlow Studio") : tr("%1 — MeanFlow Studio").arg(shown));
}

void MainWindow::refreshStatus() {
  for (auto* label : {device_label_, rate_label_, watching_label_, saved_label_}) label->setVisible(source_ != nullptr);
  if (!source_) {
    state_label_->setText(tr("no run open"));
    return;
  }
  const auto& run = source_->summary();
  const bool is_cut_off =
      !base::isEnded(run.state) && controller_.access() == RunAccess::kNone && !source_->isLoading();
  const QString where = source_->isLive()                               ? tr("trained here")
                        : controller_.access() == RunAccess::kElsewhere ? tr("trained elsewhere")
                                                                        : tr("record");
  state_label_->setText(source_->isLoading()
                            ? tr("reading…")
                            : tr("%1 · %2").arg(is_cut_off ? tr("interrupted") : runStateText(run.state), where));
  device_label_->setText(run.device.empty()
                             ? QString()
                             : tr("%1 × %2 workers").arg(QString::fromStdString(run.device)).arg(run.num_workers));
  const auto* stage = run.current_stage >= 0 ? &run.stages[static_cast<std::size_t>(run.current_stage)] : nullptr;
  const bool is_stepping = stage && run.state == base::RunState::kRunning && !is_cut_off && stage->seconds_per_step > 0;
  rate_label_->setText(is_stepping ? tr("%1 steps/s").arg(formatShort(1 / stage->seconds_per_step)) : QString());
  rate_label_->setVisible(is_stepping);
  watching_label_->setText(tr("watching %1 % of %2 %")
                               .arg(100 * run.watching_fraction, 0, 'f', 1)
                               .arg(100 * run.watching_budget, 0, 'f', 1));
  watching_label_->setVisible(run.watching_budget > 0);
  const auto unsaved = run.unsavedSteps();
  saved_label_->setText(base::isEnded(run.state) || unsaved == 0 ? tr("saved")
                                                                 : tr("%1 steps unsaved").arg(formatCount(unsaved)));
  saved_label_->setVisible(run.has_started);
}

void MainWindow::refreshActions() {
  const auto& can = controller_.actions();
  demo_action_->setEnabled((host_ || is_library_loading_) && !hasLiveRun());
  start_action_->setText(can.start_continues ? tr("Con&tinue") : tr("S&tart"));
  start_action_->setEnabled(can.can_start);
  pause_action_->setText(can.can_resume ? tr("&Resume") : tr("&Pause"));
  pause_action_->setIcon(theme_.icon(can.can_resume ? QStringLiteral("play") : QStringLiteral("pause")));
  pause_action_->setEnabled(can.can_pause || can.can_resume);
  save_action_->setEnabled(can.can_save);
  stop_action_->setEnabled(can.can_stop);
  discard_action_->setEnabled(can.can_discard);
  close_run_action_->setEnabled(source_ != nullptr);
  export_action_->setEnabled(source_ != nullptr);
  docks_menu_->setEnabled(source_ != nullptr);
}

void MainWindow::closeQuietly() {
  if (hasLiveRun())
    stopAndClose();
  else
    close();
}

void MainWindow::closeEvent(QCloseEvent* event) {
  if (!hasLiveRun()) {
    saveLayout();
    is_closing_ = true;
    event->accept();
    return;
  }
  event->ignore();
  if (findChild<QMessageBox*>(QStringLiteral("ask_close")) || findChild<QProgressDialog*>(QStringLiteral("closing")))
    return;
  auto* ask =
      new QMessageBox(QMessageBox::Question, tr("Stop the run?"),
                      tr("The run on show is being trained in this window. It is stopped and saved before the window "
                         "closes, and can be continued later."),
                      QMessageBox::NoButton, this);
  ask->setObjectName(QStringLiteral("ask_close"));
  ask->setAttribute(Qt::WA_DeleteOnClose);
  auto* stop = ask->addButton(tr("Stop, save and close"), QMessageBox::AcceptRole);
  ask->addButton(tr("Go on training"), QMessageBox::RejectRole);
  ask->setDefaultButton(stop);
  connect(ask, &QMessageBox::buttonClicked, this, [this, stop](QAbstractButton* button) {
    if (button == stop) stopAndClose();
  });
  ask->open();  // never exec(): events of the run go on being shown
}

void MainWindow::stopAndClose() {
  controller_.stopAndSave();
  auto* wait =
      new QProgressDialog(tr("Stopping the run and writing a checkpoint…"), tr("Close without saving"), 0, 0, this);
  wait->setObjectName(QStringLiteral("closing"));
  wait->setWindowTitle(tr("Closing"));
  wait->setWindowModality(Qt::WindowModal);
  wait->setMinimumDuration(0);
  wait->setAutoClose(false);
  wait->setAutoReset(false);
  wait->show();
  connect(wait, &QProgressDialog::canceled, this, [this, wait] {
    controller_.discard();
    wait->setLabelText(tr("Ending the run…"));
    wait->show();
  });
  const auto look = [this, wait] {
    if (hasLiveRun()) return;
    wait->deleteLater();
    wait->hide();
    QMetaObject::invokeMethod(
        this, [this] { close(); }, Qt::QueuedConnection);
  };
  connect(source_.get(), &RunSource::changed, wait, [look](StoreKind kind) {
    if (kind == StoreKind::kSummary) look();
  });
  look();
}

void MainWindow::dragEnterEvent(QDragEnterEvent* event) {
  const auto urls = event->mimeData()->urls();
  if (urls.size() == 1 && urls.front().isLocalFile()) event->acceptProposedAction();
}

void MainWindow::dropEvent(QDropEvent* event) {
  event->acceptProposedAction();
  openFolder(event->mimeData()->urls().front().toLocalFile());
}

}  // namespace meanflow::ui
