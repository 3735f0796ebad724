// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/main_window.h"

#include <QAction>
#include <QApplication>
#include <QCloseEvent>
#include <QDir>
#include <QDockWidget>
#include <QDragEnterEvent>
#include <QFileDialog>
#include <QFileInfo>
#include <QMenuBar>
#include <QMessageBox>
#include <QMimeData>
#include <QProgressDialog>
#include <QSettings>
#include <QStackedWidget>
#include <QStatusBar>
#include <QVBoxLayout>

#include "core/base/run/demo_run.h"
#include "core/base/run/run_state.h"
#include "ui/config/config_panel.h"
#include "ui/config/new_run_checks.h"
#include "ui/models/live_run_source.h"
#include "ui/models/open_run.h"
#include "ui/panels/curves_panel.h"
#include "ui/panels/empty_state.h"
#include "ui/panels/evaluation_panel.h"
#include "ui/panels/extend_dialog.h"
#include "ui/panels/log_panel.h"
#include "ui/panels/pipeline_panel.h"
#include "ui/panels/queue_panel.h"
#include "ui/panels/runs_panel.h"
#include "ui/panels/step_timeline.h"
#include "ui/panels/system_panel.h"
#include "ui/panels/welcome_page.h"
#include "ui/theme/theme.h"
#include "ui/window/closing_dialogs.h"
#include "ui/window/command_palette.h"
#include "ui/window/panel_set.h"
#include "ui/window/run_desk.h"
#include "ui/window/status_line.h"
#include "ui/window/step_actions.h"
#include "ui/window/window_menus.h"

namespace meanflow::ui {

MainWindow::MainWindow(Theme& theme, QSettings& settings, TrainingHostFactory factory, QWidget* parent)
    : QMainWindow(parent),
      theme_(theme),
      settings_(settings),
      factory_(std::move(factory)),
      recent_(settings),
      catalog_(recent_, QString::fromStdString(base::defaultRunsFolder())),
      layout_(new WorkspaceLayout(settings, this)),
      banner_(new Banner(theme, true)),
      pages_(new QStackedWidget),
      welcome_(new WelcomePage(theme, catalog_, recent_)),
      timeline_(new StepTimeline(theme)),
      panels_(new PanelSet(theme, controller_, catalog_, recent_, desk_.queue(), *timeline_, *layout_, this)),
      config_(panels_->config),
      status_(new StatusLine(statusBar(), this)) {
  setWindowIcon(Theme::applicationIcon());
  setAcceptDrops(true);
  auto* central = new QWidget;
  auto* layout = new QVBoxLayout(central);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->setSpacing(0);
  layout->addWidget(banner_);
  layout->addWidget(pages_, 1);
  layout->addWidget(timeline_);
  pages_->addWidget(welcome_);
  pages_->addWidget(layout_->workspace());
  setCentralWidget(central);
  timeline_->hide();

  menus_ = new WindowMenus(*menuBar(), theme_, config_->draft().undoStack(), layout_->docks(), this);
  palette_ = new CommandPalette(theme_, settings_, this);
  step_actions_ = new StepActions(theme_, desk_, controller_, *menus_, *timeline_, *panels_, *layout_, this);
  connectMenus();
  connectPanels();
  fillPalette();

  resize(1280, 720);
  if (const auto geometry = settings_.value(QStringLiteral("geometry")).toByteArray(); !geometry.isEmpty())
    restoreGeometry(geometry);
  menus_->perspectives[static_cast<std::size_t>(layout_->perspective())]->setChecked(true);
  refreshActions();
  status_->present(nullptr, controller_);
  refreshTitle();
  desk_.queue().load();
  catalog_.refresh();
}

MainWindow::~MainWindow() {
  if (loader_.joinable()) loader_.join();
  is_closing_ = true;
  controller_.setHost(nullptr);
  panels_->setHost(nullptr);
  step_actions_->setHost(nullptr);
  desk_.setHost(nullptr, {});
  host_.reset();  // stops a run that is still live and joins its threads; the source's queue outlives them
  setSource(nullptr);
}

void MainWindow::connectMenus() {
  const auto on = [this](QAction* action, auto slot) { connect(action, &QAction::triggered, this, slot); };
  on(menus_->new_run, [this] { openNewRun(); });
  on(menus_->demo, [this] { startDemo(); });
  on(menus_->open, [this] { askOpenFolder(); });
  on(menus_->close_run, [this] { closeRun(); });
  on(menus_->quit, [this] { close(); });
  on(menus_->import_config, [this] {
    openNewRun();
    config_->askImport();
  });
  on(menus_->export_config, [this] { config_->askSaveAs(); });
  on(menus_->export_curves, [this] { panels_->curves->askExport(); });
  on(menus_->find_setting, [this] {
    if (pages_->currentWidget() == welcome_) openNewRun();
    layout_->bringUp(QStringLiteral("config"));
    config_->focusSearch();
  });
  on(menus_->filter_log, [this] {
    layout_->bringUp(QStringLiteral("log"));
    panels_->log->focusFilter();
  });
  on(menus_->start, [this] { startOrContinue(); });
  on(menus_->pause, [this] {
    if (controller_.actions().can_resume)
      controller_.resume();
    else if (controller_.actions().can_pause)
      controller_.pause();
  });
  connect(menus_->save, &QAction::triggered, &controller_, &RunController::saveNow);
  connect(menus_->stop, &QAction::triggered, &controller_, &RunController::stopAndSave);
  connect(menus_->discard, &QAction::triggered, panels_->pipeline, &PipelinePanel::askDiscard);
  on(menus_->start_config, [this] {
    openNewRun();
    config_->startNewRun();
  });
  on(menus_->queue_config, [this] {
    openNewRun();
    config_->queueNewRun();
  });
  on(menus_->preflight, [this] {
    openNewRun();
    config_->preflightNewRun();
  });
  on(menus_->extend, [this] {
    if (source_) askExtend(source_->folder());
  });
  on(menus_->palette, [this] { palette_->openUp(); });
  for (int i = 0; i < kNumPerspectives; ++i)
    on(menus_->perspectives[static_cast<std::size_t>(i)], [this, i] { setPerspective(static_cast<Perspective>(i)); });
  on(menus_->reset_layout, [this] { resetLayout(); });
  on(menus_->live, [this] { timeline_->setLive(true); });
  on(menus_->previous_mark, [this] { timeline_->goToPreviousMark(); });
  on(menus_->next_mark, [this] { timeline_->goToNextMark(); });
  for (const auto& [action, choice] : {std::pair{menus_->theme_system, ThemeChoice::kSystem},
                                       {menus_->theme_light, ThemeChoice::kLight},
                                       {menus_->theme_dark, ThemeChoice::kDark}}) {
    action->setChecked(choice == theme_.choice());
    on(action, [this, choice = choice] {
      theme_.setChoice(choice);
      settings_.setValue(QStringLiteral("theme"), static_cast<int>(choice));
    });
  }
  on(menus_->about, [this] {
    QMessageBox::about(
        this, tr("About MeanFlow Studio"),
        tr("<b>MeanFlow Studio %1</b><p>Trains MeanFlow transformers on representation autoencoders, and shows "
           "the training while it runs.</p><p>The studio is free software under the GNU General Public License "
           "3 or later; its training core is under the Apache License 2.0.</p>")
            .arg(QApplication::applicationVersion()));
  });
  connect(menus_->about_qt, &QAction::triggered, qApp, &QApplication::aboutQt);
  connect(menus_, &WindowMenus::runRequested, this, &MainWindow::openFolder);
  connect(&recent_, &RecentRuns::changed, this, [this] { menus_->setRecentRuns(recent_.folders()); });
  menus_->setRecentRuns(recent_.folders());
}

void MainWindow::connectPanels() {
  connect(welcome_, &WelcomePage::newRunRequested, this, &MainWindow::openNewRun);
  connect(welcome_, &WelcomePage::demoRequested, this, &MainWindow::startDemo);
  connect(welcome_, &WelcomePage::openFolderRequested, this, &MainWindow::askOpenFolder);
  connect(welcome_, &WelcomePage::openRequested, this, &MainWindow::openFolder);
  connect(panels_->runs, &RunsPanel::openRequested, this, &MainWindow::openFolder);
  connect(panels_->runs, &RunsPanel::extendRequested, this, &MainWindow::askExtend);
  connect(panels_->runs, &RunsPanel::duplicateRequested, this, [this](const QString& folder) {
    openNewRun();
    config_->duplicate(folder, QFileInfo(folder).fileName());
  });
  connect(panels_->queue, &QueuePanel::openRequested, this, &MainWindow::openFolder);
  connect(panels_->queue, &QueuePanel::duplicateRequested, this, [this](const QString& config, const QString& name) {
    openNewRun();
    config_->duplicate(config, name);
  });
  connect(panels_->queue, &QueuePanel::branchDuplicateRequested, this,
          [this](const QueuedRun& run) { step_actions_->askBranchLike(run); });
  connect(&desk_.queue(), &RunQueue::failed, this, [this](const QString& why) { say(why, true); });
  connect(&catalog_, &RunCatalog::failed, this, [this](const QString& why) { say(why, true); });
  connect(panels_->pipeline, &PipelinePanel::startRequested, this, &MainWindow::startOrContinue);
  connect(panels_->evaluation, &EvaluationPanel::evaluateRequested, this, [this] {
    if (!source_) return;
    if (const QString why = desk_.evaluate(*source_); !why.isEmpty()) say(why, true);
  });
  connect(config_, &ConfigPanel::startRequested, this, [this](const NewRun& run) {
    if (const QString why = desk_.startNew(run); !why.isEmpty()) config_->showRefusal(why);
  });
  connect(&desk_, &RunDesk::started, this, [this](LiveRunSource* source) {
    banner_->hide();
    recent_.add(source->folder());
    setSource(std::unique_ptr<RunSource>(source));
  });
  connect(config_, &ConfigPanel::queueRequested, this, [this](const NewRun& run) {
    desk_.queue().add(run.name, run.folder, run.yaml);
    layout_->bringUp(QStringLiteral("runs"));
    if (!desk_.queue().isGoing())
      say(tr("%1 waits in the queue; Go in the panel Runs lets it start.").arg(run.name), false);
  });
  const auto* preflight = &config_->checks().preflight();
  connect(preflight, &PreflightJob::changed, &desk_, [this, preflight] { desk_.setPreflight(preflight->isGoing()); });
  connect(&attention_, &Attention::changed, this, [this](bool is_there) {
    if (source_) source_->setWatched(is_there);
    panels_->system->setAttended(is_there);
  });
  connect(&controller_, &RunController::actionsChanged, this, &MainWindow::refreshActions);
  connect(&controller_, &RunController::refused, this, [this](const QString& sentence) { say(sentence, true); });
}

void MainWindow::fillPalette() {
  palette_->addProvider([this] { return menuEntries(*menuBar()); });
  palette_->addProvider([this] {
    std::vector<PaletteEntry> entries;
    for (auto* dock : layout_->docks()) {
      const QString name = dock->objectName();
      entries.push_back({QStringLiteral("panel:") + name,
                         tr("Panel › %1").arg(dock->windowTitle()),
                         dock->toggleViewAction()->toolTip(),
                         {},
                         true,
                         [this, name] {
                           showWorkspace();
                           layout_->bringUp(name);
                         }});
    }
    for (const auto& card : catalog_.cards()) {
      entries.push_back({QStringLiteral("run:") + card.folder,
                         tr("Open run › %1").arg(card.name),
                         card.folder,
                         {},
                         card.is_there,
                         [this, folder = card.folder] { openFolder(folder); }});
    }
    for (const auto& field : config_->draft().fields()) {
      const QString key = QString::fromStdString(field.key);
      entries.push_back({QStringLiteral("setting:") + key,
                         tr("Setting › %1").arg(key),
                         QString::fromStdString(field.help),
                         {},
                         true,
                         [this, key] {
                           if (pages_->currentWidget() == welcome_) openNewRun();
                           layout_->bringUp(QStringLiteral("config"));
                           config_->showSetting(key);
                         }});
    }
    return entries;
  });
}

void MainWindow::setPerspective(Perspective perspective) {
  layout_->setPerspective(perspective);
  menus_->perspectives[static_cast<std::size_t>(perspective)]->setChecked(true);
}

void MainWindow::resetLayout() { layout_->putBack(); }

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
  desk_.setHost(host, training_problem_);
  panels_->setHost(host);
  step_actions_->setHost(host);
  welcome_->setTrainingProblem(training_problem_, false);
  config_->setTrainingProblem(training_problem_);
  refreshActions();
  Q_EMIT trainingReady();
  if (std::exchange(wants_demo_, false)) startDemo();
}

void MainWindow::showWorkspace() {
  const bool was_there = pages_->currentWidget() == layout_->workspace();
  if (was_there && (!source_ || layout_->isReady())) return;
  pages_->setCurrentWidget(layout_->workspace());
  // The workspace has its real size only once the page is laid out.
  centralWidget()->layout()->activate();
  source_ ? layout_->enter() : layout_->enterForNewRun();
  refreshActions();
}

void MainWindow::setSource(std::unique_ptr<RunSource> source) {
  panels_->setSource(source.get());
  controller_.setSource(source.get());
  desk_.setSource(source.get());
  step_actions_->setSource(source.get());
  timeline_->setSource(source.get());  // after its readers: it tells them where the cursor is
  source_ = std::move(source);
  panels_->runs->setOpenFolder(source_ ? source_->folder() : QString());
  timeline_->setVisible(source_ != nullptr);
  if (source_) {
    source_->setWatched(attention_.isThere());
    connect(source_.get(), &RunSource::changed, this, &MainWindow::onSourceChanged);
    connect(source_.get(), &RunSource::troubleChanged, this, [this](const QString& trouble) {
      if (!trouble.isEmpty())
        say(trouble, true);
      else
        banner_->hide();
      status_->present(source_.get(), controller_);
    });
    connect(source_.get(), &RunSource::loadingFinished, this, [this] { status_->present(source_.get(), controller_); });
    showWorkspace();
  } else if (!is_closing_) {
    layout_->save();
    pages_->setCurrentWidget(welcome_);
  }
  refreshActions();
  status_->present(source_.get(), controller_);
  refreshTitle();
}

void MainWindow::openFolder(const QString& path) {
  const QString folder = runFolderOf(path);
  if (desk_.hasLiveRun()) {
    say(tr("A run is being trained in this window. Stop it first, or open %1 in a second window.").arg(folder), false);
    return;
  }
  auto opened = openRun(folder);
  if (!opened.ok()) {
    say(QString::fromStdString(opened.error().message), true);
    return;
  }
  banner_->hide();
  recent_.add((*opened)->folder());
  setSource(std::move(*opened));
}

void MainWindow::askOpenFolder() {
  const QString start = settings_.value(QStringLiteral("last_folder"), QDir::homePath()).toString();
  const QString folder = QFileDialog::getExistingDirectory(this, tr("Open a run folder"), start);
  if (folder.isEmpty()) return;
  settings_.setValue(QStringLiteral("last_folder"), QFileInfo(folder).absolutePath());
  openFolder(folder);
}

void MainWindow::openNewRun() {
  showWorkspace();
  config_->setMode(ConfigPanel::Mode::kNewRun);
  layout_->bringUp(QStringLiteral("config"));
}

void MainWindow::startDemo() {
  if (!host_ && is_library_loading_) {
    wants_demo_ = true;
    return;
  }
  const bool is_busy = desk_.hasLiveRun();
  if (const QString why = desk_.startDemo(demo_options_); !why.isEmpty()) say(why, !is_busy);
}

void MainWindow::startOrContinue() {
  if (!controller_.actions().can_start) return;
  if (!source_) return startDemo();
  if (const QString why = desk_.continueRun(*source_); !why.isEmpty()) say(why, true);
}

void MainWindow::askExtend(const QString& folder) {
  auto* ask = new ExtendDialog(folder, this);
  connect(ask, &ExtendDialog::extendRequested, this, &MainWindow::extend);
  connect(ask, &ExtendDialog::queueRequested, this,
          [this](const QString& run, const QString& assignment) { desk_.queue().addContinuation(run, {assignment}); });
  ask->open();
}

void MainWindow::extend(const QString& folder, const QString& assignment) {
  if (const QString why = desk_.extend(folder, assignment); !why.isEmpty()) say(why, true);
}

void MainWindow::closeRun() {
  if (desk_.hasLiveRun()) {
    say(tr("This run is being trained in this window. Stop and save it first."), false);
    return;
  }
  banner_->hide();
  setSource(nullptr);
}

void MainWindow::onSourceChanged(StoreKind kind) {
  if (kind != StoreKind::kSummary) return;
  status_->present(source_.get(), controller_);
  refreshTitle();
}

void MainWindow::refreshTitle() {
  const QString name = source_ ? QString::fromStdString(source_->summary().run_name) : QString();
  const QString shown = name.isEmpty() && source_ ? QFileInfo(source_->folder()).fileName() : name;
  setWindowTitle(shown.isEmpty() ? tr("MeanFlow Studio") : tr("%1 — MeanFlow Studio").arg(shown));
}

void MainWindow::refreshActions() {
  const auto& can = controller_.actions();
  const bool has_workspace = pages_->currentWidget() == layout_->workspace();
  menus_->demo->setEnabled((host_ || is_library_loading_) && !desk_.hasLiveRun());
  menus_->start->setText(can.start_continues ? tr("Con&tinue") : tr("S&tart"));
  menus_->start->setEnabled(can.can_start);
  menus_->pause->setText(can.can_resume ? tr("&Resume") : tr("&Pause"));
  menus_->pause->setIcon(theme_.icon(can.can_resume ? QStringLiteral("play") : QStringLiteral("pause")));
  menus_->pause->setEnabled(can.can_pause || can.can_resume);
  menus_->save->setEnabled(can.can_save);
  menus_->stop->setEnabled(can.can_stop);
  menus_->discard->setEnabled(can.can_discard);
  menus_->extend->setEnabled(source_ && !source_->isForeign() && host_ && !can.can_discard);
  menus_->close_run->setEnabled(has_workspace);
  menus_->export_curves->setEnabled(source_ != nullptr);
  menus_->filter_log->setEnabled(has_workspace);
  for (auto* action : {menus_->live, menus_->previous_mark, menus_->next_mark}) action->setEnabled(source_ != nullptr);
  menus_->panels->setEnabled(has_workspace);
  menus_->reset_layout->setEnabled(has_workspace);
}

void MainWindow::closeQuietly() {
  if (desk_.hasLiveRun())
    stopAndClose();
  else
    close();
}

bool MainWindow::event(QEvent* event) {
  // A changed text asks its parent for a new layout, that one its own, and so on, a level with every round of events;
  // painting in between would compose the whole window once for each of them.
  constexpr int kLevels = 12;
  if (event->type() == QEvent::UpdateRequest)
    for (int level = 0; level < kLevels; ++level) QCoreApplication::sendPostedEvents(nullptr, QEvent::LayoutRequest);
  return QMainWindow::event(event);
}

void MainWindow::closeEvent(QCloseEvent* event) {
  if (!desk_.hasLiveRun()) {
    layout_->save();
    settings_.setValue(QStringLiteral("geometry"), saveGeometry());
    is_closing_ = true;
    event->accept();
    return;
  }
  event->ignore();
  askToStop(this, [this] { stopAndClose(); });
}

void MainWindow::stopAndClose() {
  desk_.queue().setGoing(false);  // the next run would start before the window is gone
  controller_.stopAndSave();
  auto* wait = showStopping(this, [this] { controller_.discard(); });
  const auto look = [this, wait] {
    if (desk_.hasLiveRun()) return;
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
