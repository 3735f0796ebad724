// SPDX-License-Identifier: Apache-2.0
#include <QAbstractButton>
#include <QApplication>
#include <QDir>
#include <QDockWidget>
#include <QMenuBar>
#include <QMessageBox>
#include <QPushButton>
#include <QSettings>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <atomic>

#include "tests/support/studio_test.h"
#include "tests/ui/made_up_run.h"
#include "ui/main_window.h"
#include "ui/panels/step_timeline.h"
#include "ui/theme/theme.h"

using namespace meanflow;
using namespace meanflow::ui;

namespace {

/// A host whose run starts when asked and stops when told.
class ObedientHost final : public base::TrainingHost {
 public:
  explicit ObedientHost(std::string refusal = {}) : refusal_(std::move(refusal)) {}
  base::Result<void> start(const base::RunRequest& request, std::shared_ptr<base::EventSink> sink) override {
    if (!refusal_.empty()) return base::Error{refusal_};
    sink_ = std::move(sink);
    last_request = request;
    for (const auto& record : testing::madeUpRun({.num_stages = 2})) sink_->publish(record);
    state_ = base::RunState::kRunning;
    return {};
  }
  void send(const base::Command& command) override {
    if (std::holds_alternative<base::StopAndSave>(command) || std::holds_alternative<base::Discard>(command)) {
      state_ = base::RunState::kStopped;
      sink_->publish({5000, 1.8e9, base::StateChanged{base::RunState::kStopped}});
    }
  }
  base::RunState state() const override { return state_; }
  void requestSamples(const base::SampleRequest&, std::function<void(const base::SampleResult&)>) override {}
  base::RunRequest last_request;

 private:
  std::string refusal_;
  std::shared_ptr<base::EventSink> sink_;
  std::atomic<base::RunState> state_ = base::RunState::kIdle;
};

}  // namespace

class TestMainWindow : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase() { theme_ = std::make_unique<Theme>(*qApp); }
  void init() {
    dir_ = std::make_unique<QTemporaryDir>();
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
    ObedientHost* host = nullptr;
    MainWindow window(*theme_, *settings_, [&](QString*) { return host = new ObedientHost; });
    window.setDemoOptions(
        {.out_folder = dir_->filePath(QStringLiteral("demo")), .overrides = {QStringLiteral("seed=7")}});
    window.show();
    window.loadTrainingLibrary();
    window.startDemo();
    QTRY_VERIFY(window.source() && window.source()->isLive());
    QCOMPARE(host->last_request.overrides, std::vector<std::string>{"seed=7"});
    QTRY_COMPARE(window.source()->summary().current_stage, 1);
  }

  void aRefusedStartSaysWhy() {
    MainWindow window(*theme_, *settings_, [](QString*) { return new ObedientHost("the disk is full: free 2 GiB"); });
    window.setDemoOptions({.out_folder = dir_->filePath(QStringLiteral("demo"))});
    window.show();
    window.loadTrainingLibrary();
    window.startDemo();
    QTRY_COMPARE(window.bannerMessage(), QStringLiteral("the disk is full: free 2 GiB"));
    QVERIFY(window.source() == nullptr);
  }

  void closingAsksThenStopsAndSaves() {
    ObedientHost* host = nullptr;
    MainWindow window(*theme_, *settings_, [&](QString*) { return host = new ObedientHost; });
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

  void everyFocusableControlHasANameAndEveryActionATip() {
    const QString folder = dir_->filePath(QStringLiteral("run"));
    testing::writeRunFolder(folder, testing::madeUpRun({.num_stages = 3, .has_samples = false}));
    MainWindow window(*theme_, *settings_, {});
    window.show();
    window.openFolder(folder);
    QTRY_VERIFY(!window.source()->isLoading());
    QTest::qWait(50);  // the tab bars of the docks are made when they are laid out
    QStringList unnamed;
    for (const auto* widget : window.findChildren<QWidget*>()) {
      const QByteArray kind = widget->metaObject()->className();
      const bool is_ours =
          kind != "QWidget" && kind != "QComboBoxListView" && !widget->objectName().startsWith(QStringLiteral("qt_"));
      if (!is_ours || !(widget->focusPolicy() & Qt::TabFocus) || !widget->accessibleName().isEmpty()) continue;
      if (const auto* named = qobject_cast<const QAbstractButton*>(widget); named && !named->text().isEmpty()) continue;
      unnamed << QStringLiteral("%1 in %2")
                     .arg(QLatin1String(widget->metaObject()->className()),
                          widget->parent() ? QLatin1String(widget->parent()->metaObject()->className()) : QString());
    }
    QVERIFY2(unnamed.isEmpty(), qPrintable(unnamed.join(QStringLiteral("; "))));
    for (const auto* action : window.menuBar()->findChildren<QAction*>()) {
      if (action->isSeparator() || action->menu() || action->text().isEmpty() || action->text().startsWith(u'/'))
        continue;
      QVERIFY2(!action->toolTip().isEmpty(), qPrintable(action->text()));
    }
  }

  /// Pictures for people: every state, light and dark, in the build folder's screenshots/.
  void picturesOfEveryState() {
    const QString out = QCoreApplication::applicationDirPath() + QStringLiteral("/../screenshots");
    QVERIFY(QDir().mkpath(out));
    const QString suffix = qApp->devicePixelRatio() > 1 ? QStringLiteral("@2x") : QString();
    for (const auto choice : {ThemeChoice::kLight, ThemeChoice::kDark}) {
      theme_->setChoice(choice);
      const QString look = (choice == ThemeChoice::kLight ? QStringLiteral("light") : QStringLiteral("dark")) + suffix;
      ObedientHost* host = nullptr;
      MainWindow window(*theme_, *settings_, [&](QString*) { return host = new ObedientHost; });
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
                                              {QStringLiteral("sample"), MainWindow::Perspective::kSample}}) {
        window.setPerspective(perspective);
        grab(name);
      }
      window.setPerspective(MainWindow::Perspective::kTrain);
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
