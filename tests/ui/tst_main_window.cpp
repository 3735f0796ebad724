// SPDX-License-Identifier: Apache-2.0
#include <QDir>
#include <QDockWidget>
#include <QLineEdit>
#include <QMenuBar>
#include <QMessageBox>
#include <QPushButton>
#include <QSettings>
#include <QSignalSpy>
#include <QTemporaryDir>

#include "core/base/config/config_io.h"
#include "tests/support/studio_test.h"
#include "tests/ui/made_up_figures.h"
#include "tests/ui/made_up_run.h"
#include "tests/ui/obedient_host.h"
#include "ui/config/config_panel.h"
#include "ui/config/start_bar.h"
#include "ui/main_window.h"
#include "ui/panels/block_map.h"
#include "ui/panels/class_grid_controls.h"
#include "ui/panels/class_grid_panel.h"
#include "ui/panels/class_map.h"
#include "ui/panels/class_map_panel.h"
#include "ui/panels/gradients_panel.h"
#include "ui/panels/step_timeline.h"
#include "ui/theme/theme.h"
#include "ui/window/command_palette.h"

using namespace meanflow;
using namespace meanflow::ui;

namespace {

/// Counts how often a window is painted.
class Paintings final : public QObject {
 public:
  explicit Paintings(QWidget& window) { window.installEventFilter(this); }
  int count = 0;

 protected:
  bool eventFilter(QObject* watched, QEvent* event) override {
    count += event->type() == QEvent::UpdateRequest ? 1 : 0;
    return QObject::eventFilter(watched, event);
  }
};

}  // namespace

class TestMainWindow : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase() { theme_ = std::make_unique<Theme>(*qApp); }
  void init() {
    dir_ = std::make_unique<QTemporaryDir>();
    qputenv("XDG_STATE_HOME", dir_->filePath(QStringLiteral("state")).toUtf8());  // a queue of its own
    settings_ = std::make_unique<QSettings>(dir_->filePath(QStringLiteral("settings.ini")), QSettings::IniFormat);
  }

  void worksWithoutTheTrainingLibraryAndSaysSo() {
    MainWindow window(*theme_, *settings_,
                      [](QString* error) { return *error = QStringLiteral("no library"), nullptr; });
    QSignalSpy ready(&window, &MainWindow::trainingReady);
    window.show();
    window.loadTrainingLibrary();
    QTRY_COMPARE(ready.size(), 1);
    QVERIFY(!window.isTrainingReady());
    window.startDemo();
    QCOMPARE(window.bannerMessage(), QStringLiteral("no library"));
    const QString folder = dir_->filePath(QStringLiteral("run"));
    testing::writeRunFolder(folder, testing::madeUpRun({.is_finished = true, .has_samples = false}));
    window.openFolder(folder);
    QTRY_COMPARE(window.source() ? window.source()->summary().state : base::RunState::kIdle, base::RunState::kFinished);
  }

  void aFolderThatIsNoRunLeavesTheWindowAsItWas() {
    MainWindow window(*theme_, *settings_, {});
    window.show();
    window.openFolder(dir_->path());
    QVERIFY(window.bannerMessage().contains(QStringLiteral("is not a run folder")));
    QVERIFY(window.isVisible());
    QVERIFY(window.source() == nullptr);
  }

  void theDemoWaitsForTheLibraryAndStarts() {
    testing::ObedientHost* host = nullptr;
    MainWindow window(*theme_, *settings_, [&](QString*) { return host = new testing::ObedientHost; });
    window.setDemoOptions(
        {.out_folder = dir_->filePath(QStringLiteral("demo")), .overrides = {QStringLiteral("seed=7")}});
    window.show();
    window.loadTrainingLibrary();
    window.startDemo();
    QTRY_VERIFY(window.source() && window.source()->isLive());
    QCOMPARE(host->last_request.overrides, std::vector<std::string>{"seed=7"});
    QTRY_COMPARE(window.source()->summary().current_stage, 1);
  }

  void aStepIsPaintedOnce() {
    MainWindow window(*theme_, *settings_, [](QString*) { return new testing::ObedientHost; });
    window.setDemoOptions({.out_folder = dir_->filePath(QStringLiteral("demo"))});
    window.resize(1280, 720);
    window.show();
    window.loadTrainingLibrary();
    window.startDemo();
    QTRY_VERIFY(window.source() && window.source()->summary().current_stage == 1);
    QTest::qWait(1000);
    Paintings paintings(window);
    constexpr int kSteps = 3;
    for (int k = 0; k < kSteps; ++k) {
      const auto stage = window.source()->summary().head();
      base::StepCompleted event{.stage = stage->stage, .step = stage->step + 1};
      event.scalars = {{"loss", 0.5 + 0.1 * k}, {"grad_norm", 1.0 + k}};
      window.source()->feed(std::vector{base::EventRecord{900000 + k, 1.9e9 + k, event}});
      QTest::qWait(2 * RunSource::kStepsMs);
    }
    QVERIFY2(paintings.count >= kSteps && paintings.count <= kSteps + 1, qPrintable(QString::number(paintings.count)));
  }

  void aRefusedStartSaysWhy() {
    MainWindow window(*theme_, *settings_,
                      [](QString*) { return new testing::ObedientHost("the disk is full: free 2 GiB"); });
    window.setDemoOptions({.out_folder = dir_->filePath(QStringLiteral("demo"))});
    window.show();
    window.loadTrainingLibrary();
    window.startDemo();
    QTRY_COMPARE(window.bannerMessage(), QStringLiteral("the disk is full: free 2 GiB"));
    QVERIFY(window.source() == nullptr);
  }

  void closingAsksThenStopsAndSaves() {
    testing::ObedientHost* host = nullptr;
    MainWindow window(*theme_, *settings_, [&](QString*) { return host = new testing::ObedientHost; });
    window.setDemoOptions({.out_folder = dir_->filePath(QStringLiteral("demo"))});
    window.show();
    window.loadTrainingLibrary();
    window.startDemo();
    QTRY_VERIFY(window.controller().actions().can_pause);
    window.close();
    QVERIFY(window.isVisible());
    auto* ask = window.findChild<QMessageBox*>(QStringLiteral("ask_close"));
    QVERIFY(ask);
    QTRY_VERIFY(ask->isVisible());
    QTest::mouseClick(ask->buttons().back(), Qt::LeftButton);  // "Go on training"
    QTRY_VERIFY(!window.findChild<QMessageBox*>(QStringLiteral("ask_close")));
    QVERIFY(window.isVisible());
    QCOMPARE(host->state(), base::RunState::kRunning);
    window.close();
    ask = window.findChild<QMessageBox*>(QStringLiteral("ask_close"));
    QVERIFY(ask);
    QTRY_VERIFY(ask->isVisible());
    QTest::mouseClick(ask->defaultButton(), Qt::LeftButton);
    QTRY_VERIFY(!window.isVisible());
    QCOMPARE(host->state(), base::RunState::kStopped);
  }

  void layoutsAreKeptForEachPerspective() {
    const QString folder = dir_->filePath(QStringLiteral("run"));
    testing::writeRunFolder(folder, testing::madeUpRun({.num_stages = 1, .has_samples = false}));
    {
      MainWindow window(*theme_, *settings_, {});
      window.show();
      window.openFolder(folder);
      QVERIFY(window.findChild<QDockWidget*>(QStringLiteral("samples"))->isVisible());
      window.setPerspective(MainWindow::Perspective::kDiagnose);
      QVERIFY(!window.findChild<QDockWidget*>(QStringLiteral("samples"))->isVisible());
      window.findChild<QDockWidget*>(QStringLiteral("log"))->hide();
      window.close();
    }
    MainWindow window(*theme_, *settings_, {});
    window.show();
    QCOMPARE(window.perspective(), MainWindow::Perspective::kDiagnose);
    window.openFolder(folder);
    QVERIFY(!window.findChild<QDockWidget*>(QStringLiteral("log"))->isVisible());
    QVERIFY(window.findChild<QDockWidget*>(QStringLiteral("curves"))->isVisible());
    window.resetLayout();
    QVERIFY(window.findChild<QDockWidget*>(QStringLiteral("log"))->isVisible());
  }

  void diagnosingShowsGradientsAndWhatTheVelocityCosts() {
    const QString folder = dir_->filePath(QStringLiteral("run"));
    auto records = testing::madeUpRun({.is_finished = true, .has_samples = false});
    for (auto& record : testing::madeUpBlocks("cmt", 900, 10, 12)) records.push_back(std::move(record));
    for (auto& record : testing::madeUpResiduals("mean_flow", 300, 10, 1)) records.push_back(std::move(record));
    for (std::size_t i = 0; i < records.size(); ++i) records[i].sequence = static_cast<std::int64_t>(i);
    testing::writeRunFolder(folder, records);
    MainWindow window(*theme_, *settings_, {});
    window.resize(1280, 720);
    window.show();
    window.openFolder(folder);
    QTRY_VERIFY(!window.source()->isLoading());
    window.setPerspective(MainWindow::Perspective::kDiagnose);
    QTest::qWait(100);
    for (const char* name : {"gradients", "bias_variance"})
      QVERIFY2(!window.findChild<QDockWidget*>(QLatin1String(name))->widget()->visibleRegion().isEmpty(), name);
    // The step cursor decides the stage of the map, and a click on the map moves it.
    window.timeline().setCursor(QStringLiteral("cmt"), 700);
    auto* panel = window.findChild<GradientsPanel*>();
    QTRY_VERIFY(panel->showsMap());
    auto& map = panel->map();
    QTest::mouseClick(&map, Qt::LeftButton, {},
                      QPoint(static_cast<int>(map.xOf(400)) - 1, static_cast<int>(map.rowRect(5).center().y())));
    QCOMPARE(window.timeline().cursor().step, std::int64_t{400});
    QCOMPARE(QString::fromStdString(window.timeline().cursor().stage), QStringLiteral("cmt"));
    QVERIFY(testing::picturesInBothLooks(
        *theme_, window, QCoreApplication::applicationDirPath() + QStringLiteral("/../screenshots/figures"),
        QStringLiteral("diagnose")));
  }

  void aClassOfTheMapIsDrawnInTheClassGrids() {
    const QString folder = dir_->filePath(QStringLiteral("run"));
    testing::writeRunFolder(folder, testing::madeUpRun({.is_finished = true, .has_samples = false}));
    testing::writeMadeUpReport(folder, {"face", "person", "heart", "clock", "flag", "button", "moon", "ball"}, 20,
                               [](const std::string& row, int label) { return row == "cmt_1" ? 0.5 : 0.12 * label; });
    MainWindow window(*theme_, *settings_, {});
    window.resize(1280, 720);
    window.show();
    window.openFolder(folder);
    QTRY_VERIFY(!window.source()->isLoading());
    window.setPerspective(MainWindow::Perspective::kEvaluate);
    auto* panel = window.findChild<ClassMapPanel*>();
    QTRY_VERIFY(panel->showsMap());
    QTest::qWait(60);
    QVERIFY(!panel->visibleRegion().isEmpty());
    QVERIFY(testing::picturesInBothLooks(
        *theme_, window, QCoreApplication::applicationDirPath() + QStringLiteral("/../screenshots/figures"),
        QStringLiteral("evaluate")));
    QTest::mouseClick(&panel->map(), Qt::LeftButton, {}, panel->map().cellRect(5).center().toPoint());
    auto* grids = window.findChild<ClassGridPanel*>();
    QTRY_VERIFY(!grids->visibleRegion().isEmpty());
    QCOMPARE(grids->controls().settings().classes, std::vector<std::int64_t>{5});
  }

  void theQueueGoesOnPastARunThatFails() {
    testing::ObedientHost* host = nullptr;
    MainWindow window(*theme_, *settings_, [&](QString*) { return host = new testing::ObedientHost; });
    window.show();
    window.loadTrainingLibrary();
    QTRY_VERIFY(window.isTrainingReady());
    auto& queue = window.queue();
    QTest::qWait(50);  // the queue that was left has been read
    for (const char* name : {"bad", "good", "next"})
      queue.add(QLatin1String(name), dir_->filePath(QLatin1String(name)), QStringLiteral("seed: 1\n"));
    QVERIFY(window.source() == nullptr);  // held until it is let go
    queue.setGoing(true);
    QTRY_VERIFY(window.source() && window.source()->folder().endsWith(QStringLiteral("good")));
    QCOMPARE(queue.runs()[0].state, QueuedRun::State::kFailed);
    QCOMPARE(queue.runs()[0].remark, QStringLiteral("bad: teacher.model.depth is 0; set it to at least 1"));
    QCOMPARE(queue.runs()[1].state, QueuedRun::State::kRunning);
    QTRY_VERIFY(window.controller().actions().can_stop);
    window.controller().stopAndSave();
    QTRY_VERIFY(window.source()->folder().endsWith(QStringLiteral("next")));
    QCOMPARE(queue.runs()[1].state, QueuedRun::State::kFailed);
    QVERIFY(queue.runs()[1].remark.contains(QStringLiteral("stopped before its end")));
    QTRY_VERIFY(window.controller().actions().can_stop);
    queue.setGoing(false);
    window.closeQuietly();
    QTRY_VERIFY(!window.isVisible());
  }

  void closingHoldsTheQueue() {
    testing::ObedientHost* host = nullptr;
    MainWindow window(*theme_, *settings_, [&](QString*) { return host = new testing::ObedientHost; });
    window.setDemoOptions({.out_folder = dir_->filePath(QStringLiteral("demo"))});
    window.show();
    window.loadTrainingLibrary();
    window.startDemo();
    QTRY_VERIFY(window.controller().actions().can_stop);
    window.queue().add(QStringLiteral("next"), dir_->filePath(QStringLiteral("next")), QStringLiteral("seed: 1\n"));
    window.queue().setGoing(true);
    window.closeQuietly();
    QTRY_VERIFY(!window.isVisible());
    QVERIFY(QString::fromStdString(host->last_request.run_folder).endsWith(QStringLiteral("demo")));
  }

  void theQueueWaitsForAPreflight() {
    testing::ObedientHost* host = nullptr;
    MainWindow window(*theme_, *settings_, [&](QString*) { return host = new testing::ObedientHost; });
    window.show();
    window.loadTrainingLibrary();
    QTRY_VERIFY(window.isTrainingReady());
    window.openNewRun();
    QTRY_VERIFY(!window.config().draft().baselineName().isEmpty());
    QTest::qWait(50);
    auto* preflight = window.menuBar()->findChild<QAction*>(QStringLiteral("preflight"));
    if (!preflight) preflight = window.findChild<QAction*>(QStringLiteral("preflight"));
    QVERIFY(preflight);
    preflight->trigger();
    QVERIFY(host->tell);
    window.queue().add(QStringLiteral("waits"), dir_->filePath(QStringLiteral("waits")), QStringLiteral("seed: 1\n"));
    window.queue().setGoing(true);
    QTest::qWait(50);
    QVERIFY(window.source() == nullptr);
    QCOMPARE(window.queue().runs().back().state, QueuedRun::State::kWaiting);
    base::PreflightNews done;
    done.report = std::make_shared<base::PreflightReport>();
    host->tell(done);
    QTRY_VERIFY(window.source() && window.source()->folder().endsWith(QStringLiteral("waits")));
    QTRY_VERIFY(window.controller().actions().can_stop);
    window.queue().setGoing(false);
    window.closeQuietly();
    QTRY_VERIFY(!window.isVisible());
  }

  void aFinishedRunIsExtendedWithMoreSteps() {
    testing::ObedientHost* host = nullptr;
    MainWindow window(*theme_, *settings_, [&](QString*) { return host = new testing::ObedientHost; });
    window.show();
    window.loadTrainingLibrary();
    QTRY_VERIFY(window.isTrainingReady());
    const QString folder = dir_->filePath(QStringLiteral("run"));
    testing::writeRunFolder(folder, testing::madeUpRun({.is_finished = true, .has_samples = false}));
    window.openFolder(folder);
    QTRY_VERIFY(!window.source()->isLoading());
    window.extend(folder, QStringLiteral("mean_flow.training.steps=450"));
    QVERIFY(window.source()->isLive());
    QCOMPARE(host->last_request.overrides, std::vector<std::string>{"mean_flow.training.steps=450"});
    QCOMPARE(QString::fromStdString(host->last_request.run_folder), folder);
    window.closeQuietly();
    QTRY_VERIFY(!window.isVisible());
  }

  void theConfigurationStartsARunInAFolderOfItsName() {
    testing::ObedientHost* host = nullptr;
    MainWindow window(*theme_, *settings_, [&](QString*) { return host = new testing::ObedientHost; });
    window.show();
    window.loadTrainingLibrary();
    QTRY_VERIFY(window.isTrainingReady());
    window.openNewRun();
    QTRY_VERIFY(!window.config().draft().baselineName().isEmpty());
    QTest::qWait(100);
    window.config().draft().edit(QStringLiteral("seed"), QStringLiteral("5"));
    auto* bar = window.findChild<StartBar*>();
    bar->setParentFolder(dir_->filePath(QStringLiteral("runs")));
    bar->setName(QStringLiteral("mine"), false);
    window.config().startNewRun();
    QTRY_VERIFY(window.source() && window.source()->isLive());
    QCOMPARE(QString::fromStdString(host->last_request.run_folder), dir_->filePath(QStringLiteral("runs/mine")));
    const auto config = base::loadConfig(host->last_request.config);
    QVERIFY(config.ok());
    QCOMPARE(config->seed, 5);
    window.closeQuietly();
    QTRY_VERIFY(!window.isVisible());
  }

  /// Pictures for people: every state, light and dark, in the build folder's screenshots/.
  void picturesOfEveryState() {
    const QString out = QCoreApplication::applicationDirPath() + QStringLiteral("/../screenshots");
    QVERIFY(QDir().mkpath(out));
    const QString suffix = qApp->devicePixelRatio() > 1 ? QStringLiteral("@2x") : QString();
    for (const auto choice : {ThemeChoice::kLight, ThemeChoice::kDark}) {
      theme_->setChoice(choice);
      const QString look = (choice == ThemeChoice::kLight ? QStringLiteral("light") : QStringLiteral("dark")) + suffix;
      testing::ObedientHost* host = nullptr;
      MainWindow window(*theme_, *settings_, [&](QString*) { return host = new testing::ObedientHost; });
      window.resize(1280, 720);
      window.show();
      window.loadTrainingLibrary();
      QTRY_VERIFY(window.isTrainingReady());
      const auto grab = [&](const QString& name) {
        QTest::qWait(250);
        const auto picture = window.grab();
        QVERIFY(picture.width() >= 1280);
        QVERIFY(picture.save(QStringLiteral("%1/%2_%3.png").arg(out, name, look)));
      };
      grab(QStringLiteral("welcome"));
      window.openNewRun();
      QTest::qWait(150);
      window.config().draft().edit(QStringLiteral("teacher.training.lr"), QStringLiteral("0.004"));
      window.config().draft().edit(QStringLiteral("teacher.training.batch_size"), QStringLiteral("many"));
      window.config().showSetting(QStringLiteral("teacher.training.lr"));
      grab(QStringLiteral("new_run"));
      window.config().draft().undoStack().undo();
      window.config().draft().undoStack().undo();
      const auto open = [&](const QString& name, const testing::MadeUpRunOptions& options) {
        const QString folder = dir_->filePath(name + look);
        testing::writeRunFolder(folder, testing::madeUpRun(options));
        for (const auto& record : testing::madeUpRun(options)) {
          if (const auto* samples = std::get_if<base::SamplesReady>(&record.event)) {
            const QString path = folder + u'/' + QString::fromStdString(samples->path);
            QDir().mkpath(QFileInfo(path).path());
            const auto& grid = *samples->grid;
            QImage(grid.pixels.data(), grid.width, grid.height, grid.width * 3, QImage::Format_RGB888).save(path);
          } else if (const auto* trajectory = std::get_if<base::TrajectoryReady>(&record.event)) {
            const auto& film = *trajectory->frames;
            QImage(film.pixels.data(), film.width, film.height, film.width * 3, QImage::Format_RGB888)
                .save(folder + u'/' + QString::fromStdString(trajectory->path));
          }
        }
        window.openFolder(folder);
        QTRY_VERIFY(!window.source()->isLoading());
      };
      open(QStringLiteral("live"), {});
      for (const auto& [name, perspective] : {std::pair{QStringLiteral("train"), MainWindow::Perspective::kTrain},
                                              {QStringLiteral("diagnose"), MainWindow::Perspective::kDiagnose},
                                              {QStringLiteral("sample"), MainWindow::Perspective::kSample},
                                              {QStringLiteral("evaluate"), MainWindow::Perspective::kEvaluate}}) {
        window.setPerspective(perspective);
        grab(name);
      }
      window.setPerspective(MainWindow::Perspective::kTrain);
      window.palette().openUp();
      QTest::keyClicks(window.palette().findChild<QLineEdit*>(), QStringLiteral("lr"));
      QTest::qWait(100);
      QVERIFY(window.palette().grab().save(QStringLiteral("%1/palette_%2.png").arg(out, look)));
      window.palette().hide();
      window.timeline().setCursor(QStringLiteral("teacher"), 700);
      grab(QStringLiteral("scrubbed"));
      open(QStringLiteral("failed"), {.state = base::RunState::kFailed});
      grab(QStringLiteral("failed"));
      open(QStringLiteral("finished"), {.is_finished = true});
      grab(QStringLiteral("finished"));
      open(QStringLiteral("empty"), {.num_stages = 1, .share_of_last = 0});
      grab(QStringLiteral("empty"));
      window.closeRun();
      window.openFolder(dir_->filePath(QStringLiteral("nothing")));
      grab(QStringLiteral("no_such_folder"));
      window.setDemoOptions({.out_folder = dir_->filePath(QStringLiteral("demo") + look)});
      window.startDemo();
      QTRY_VERIFY(window.controller().actions().can_pause);
      grab(QStringLiteral("demo"));
      window.closeQuietly();
      QTRY_VERIFY(!window.isVisible());
    }
    theme_->setChoice(ThemeChoice::kSystem);
  }

 private:
  std::unique_ptr<Theme> theme_;
  std::unique_ptr<QTemporaryDir> dir_;
  std::unique_ptr<QSettings> settings_;
};

STUDIO_TEST(TestMainWindow)
#include "tst_main_window.moc"
