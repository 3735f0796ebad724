// SPDX-License-Identifier: Apache-2.0
//
// A walk through the window with the real training library, by clicks and keys alone: a tiny run is launched, paused,
// scrubbed, replayed, branched, sampled, closed and opened again. On the way every panel is pictured. MEANFLOW_TOUR_RUN
// names a finished run to picture instead of the tiny one, MEANFLOW_TOUR_OUT where the pictures go (packaging/tour sets
// both).
#include <dlfcn.h>

#include <QAbstractSlider>
#include <QAction>
#include <QApplication>
#include <QComboBox>
#include <QDir>
#include <QDockWidget>
#include <QFile>
#include <QFileInfo>
#include <QLineEdit>
#include <QListWidget>
#include <QPushButton>
#include <QSet>
#include <QSettings>
#include <QTableWidget>
#include <QTemporaryDir>
#include <QToolButton>
#include <QTreeWidget>

#include "tests/support/studio_test.h"
#include "tests/training/run/tiny_preset.h"
#include "ui/config/branch_dialog.h"
#include "ui/config/field_editor.h"
#include "ui/main_window.h"
#include "ui/panels/checkpoints_panel.h"
#include "ui/panels/class_grid_controls.h"
#include "ui/panels/class_grid_panel.h"
#include "ui/panels/curves_panel.h"
#include "ui/panels/data_panel.h"
#include "ui/panels/evaluation_panel.h"
#include "ui/panels/replay_strip.h"
#include "ui/panels/step_timeline.h"
#include "ui/theme/theme.h"
#include "ui/window/command_palette.h"
#include "ui/window/step_actions.h"

using namespace meanflow;
using namespace meanflow::ui;

namespace {

constexpr int kPatienceMs = 120'000;

base::TrainingHost* openHost(QString* error) {
  void* library = dlopen(STUDIO_TRAINING_HOST, RTLD_NOW | RTLD_LOCAL);
  auto* create =
      library ? reinterpret_cast<base::CreateTrainingHost>(dlsym(library, base::kCreateTrainingHostSymbol)) : nullptr;
  if (create) return create();
  *error = QString::fromLocal8Bit(dlerror());
  return nullptr;
}

template <class Widget>
Widget* named(const QWidget& within, const QString& name) {
  for (auto* widget : within.findChildren<Widget*>())
    if (widget->accessibleName() == name && widget->isVisible()) return widget;
  return nullptr;
}

}  // namespace

class TestWalk : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase() {
    theme_ = std::make_unique<Theme>(*qApp);
    settings_ = std::make_unique<QSettings>(dir_.filePath(QStringLiteral("settings.ini")), QSettings::IniFormat);
    out_ = qEnvironmentVariable("MEANFLOW_TOUR_OUT",
                                QCoreApplication::applicationDirPath() + QStringLiteral("/../screenshots/walk"));
    QVERIFY(QDir().mkpath(out_));
  }

  void cleanupTestCase() { window_.reset(); }

  void aRunIsLaunchedPausedAndFinished() {
    const QString preset = QString::fromStdString(
        testing::writeTinyPreset(dir_.path().toStdString(), "\nstages: [encoder, decoder, teacher, cmt, mean_flow]\n"));
    run_ = dir_.filePath(QStringLiteral("tiny"));
    open();
    window_->setDemoOptions({.out_folder = run_,
                             .config = preset,
                             .overrides = {QStringLiteral("teacher.training.steps=600"),
                                           QStringLiteral("teacher.training.checkpoint_every=200"),
                                           QStringLiteral("mean_flow.training.steps=40")}});
    click(QStringLiteral("Run the demo"));
    QTRY_VERIFY_WITH_TIMEOUT(window_->controller().actions().can_pause && step("teacher") > 5, kPatienceMs);
    key(Qt::Key_P, Qt::ControlModifier);
    QTRY_VERIFY_WITH_TIMEOUT(window_->controller().actions().can_resume, kPatienceMs);
    const auto paused_at = step("teacher");
    QVERIFY(paused_at < 600);
    QTest::qWait(300);
    QCOMPARE(step("teacher"), paused_at);
    key(Qt::Key_S, Qt::ControlModifier);  // a checkpoint of the paused run appears in the list
    bringUp(QStringLiteral("checkpoints"));
    QTRY_VERIFY_WITH_TIMEOUT(checkpointRow(QStringLiteral("Teacher"), paused_at) >= 0, kPatienceMs);
    click(QStringLiteral("Resume"));
    QTRY_VERIFY_WITH_TIMEOUT(state() == base::RunState::kFinished, kPatienceMs);
    QVERIFY(QFileInfo::exists(run_ + QStringLiteral("/mean_flow/checkpoints")));
  }

  void theCursorIsMovedByMouseAndKeys() {
    auto* bar = named<QWidget>(*window_, QStringLiteral("Step cursor"));
    QVERIFY(bar);
    QTest::mouseClick(bar, Qt::LeftButton, {}, QPoint(bar->width() / 2, bar->height() / 2));
    QVERIFY(!window_->timeline().isLive());
    const auto before = window_->timeline().cursor();
    key(Qt::Key_Left, Qt::AltModifier);
    QVERIFY(!(window_->timeline().cursor() == before));
    key(Qt::Key_L, Qt::ControlModifier);
    QVERIFY(window_->timeline().isLive());
  }

  void aStepIsReplayedToTheBit() {
    pointAtTeacher(450);
    key(Qt::Key_R, Qt::ControlModifier);
    auto* strip = window_->findChild<ReplayStrip*>();
    QTRY_VERIFY(strip->isVisible());
    QTRY_VERIFY_WITH_TIMEOUT(window_->stepActions().replayJob().outcome(), kPatienceMs);
    QVERIFY2(!strip->facts().isEmpty(), qPrintable(strip->text()));
    QVERIFY2(strip->facts().back().contains(QStringLiteral("to the bit")), qPrintable(strip->facts().back()));
    QVERIFY(QFileInfo::exists(run_ + QStringLiteral("/teacher/diagnostics/step_00000450_replay/report.md")));
    click(QStringLiteral("Close the finding of the replay"));
    QVERIFY(strip->isHidden());
  }

  void aBranchGoesAnotherWayAndBothAreOnOneChart() {
    pointAtTeacher(450);
    key(Qt::Key_B, Qt::ControlModifier);
    auto* ask = window_->stepActions().dialog();
    QVERIFY(ask);
    QTRY_VERIFY(ask->editorOf(QStringLiteral("teacher.training.lr")));
    auto* lr = qobject_cast<QLineEdit*>(ask->editorOf(QStringLiteral("teacher.training.lr"))->editor());
    lr->selectAll();
    QTest::keyClicks(lr, QStringLiteral("0.0001"));
    QTest::keyClick(lr, Qt::Key_Return);
    look_ = QStringLiteral("light");
    theme_->setChoice(ThemeChoice::kLight);
    picture(ask, QStringLiteral("branch_dialog"));
    const QString branch = ask->folder();
    QTest::keyClick(lr, Qt::Key_Return, Qt::ControlModifier);
    QTRY_VERIFY(window_->source()->isLive() && window_->source()->folder() == branch);
    activate();
    QTRY_VERIFY_WITH_TIMEOUT(state() == base::RunState::kFinished, kPatienceMs);
    QCOMPARE(window_->source()->metrics().branch()->step, 450);
    // Both runs, with points of the same steps.
    key(Qt::Key_F8);
    bringUp(QStringLiteral("curves"));
    auto* curves = window_->findChild<CurvesPanel*>();
    curves->setSpan(CurvesPanel::Span::kOneStage, "teacher");
    const QString csv = dir_.filePath(QStringLiteral("both.csv"));
    const auto rowsOf = [&](const QString& run) {
      QFile file(csv);
      if (!curves->saveCsv(csv) || !file.open(QIODevice::ReadOnly)) return qsizetype{0};
      return QString::fromUtf8(file.readAll()).split(u'\n').filter(run + QStringLiteral(",teacher,500,loss")).size();
    };
    QTRY_VERIFY(rowsOf(QStringLiteral("tiny")) == 1 && rowsOf(QFileInfo(branch).fileName()) == 1);
    picture(window_->findChild<QDockWidget*>(QStringLiteral("curves"))->widget(), QStringLiteral("branch_curves"));
    theme_->setChoice(ThemeChoice::kSystem);
    // Back to the run itself, by keys in the list of runs; its curves are no longer laid over.
    bringUp(QStringLiteral("runs"));
    auto* runs = named<QListWidget>(*window_, QStringLiteral("Runs"));
    QTRY_VERIFY(choose(*runs, run_));
    QTest::keyClick(runs, Qt::Key_Space);
    QTRY_VERIFY(choose(*runs, run_));
    QTest::keyClick(runs, Qt::Key_Return);
    QTRY_VERIFY(window_->source()->folder() == run_ && !window_->source()->isLoading());
  }

  void imagesAreMadeOfACheckpointAndOnTheWayToAnotherSeed() {
    key(Qt::Key_F7);
    bringUp(QStringLiteral("checkpoints"));
    auto* tree = named<QTreeWidget>(*window_, QStringLiteral("Checkpoints of the run"));
    QTRY_VERIFY(tree->topLevelItemCount() > 4);
    const int row = checkpointRow(QStringLiteral("MeanFlow"), 40);
    QVERIFY(row >= 0);
    QTest::mouseClick(tree->viewport(), Qt::LeftButton, {}, tree->visualItemRect(tree->topLevelItem(row)).center());
    click(QStringLiteral("Make images with it"));
    auto* panel = window_->findChild<ClassGridPanel*>();
    QTRY_VERIFY_WITH_TIMEOUT(panel->isVisible() && panel->job().grid(0) && !panel->job().isBusy(), kPatienceMs);
    QCOMPARE(panel->controls().settings().checkpoint, QStringLiteral("mean_flow/checkpoints/step_00000040"));
    const auto plain = panel->job().grid(0);
    QCOMPARE(plain->height, 3 * 16);
    auto* way = named<QComboBox>(*panel, QStringLiteral("What the columns are"));
    way->setFocus();
    QTest::keyClick(way, Qt::Key_Down);
    QTRY_VERIFY_WITH_TIMEOUT(panel->job().settings().towards_seed && !panel->job().isBusy(), kPatienceMs);
    QCOMPARE(panel->job().grid(0)->width, 8 * 16);
    QVERIFY(*panel->job().grid(0) != *plain);
    way->setFocus();
    QTest::keyClick(way, Qt::Key_Up);
    QTRY_VERIFY_WITH_TIMEOUT(!panel->job().settings().towards_seed && !panel->job().isBusy(), kPatienceMs);
  }

  void closedAndOpenedAgainItShowsTheSame() {
    QVERIFY(window_->close());
    window_.reset();
    open();
    auto* recent = named<QListWidget>(*window_, QStringLiteral("Recent runs"));
    QTRY_VERIFY(recent && recent->count() == 2);
    QVERIFY(choose(*recent, run_));
    QTest::keyClick(recent, Qt::Key_Return);
    QTRY_VERIFY(window_->source() && !window_->source()->isLoading());
    QCOMPARE(window_->source()->folder(), run_);
    QCOMPARE(state(), base::RunState::kFinished);
    QCOMPARE(step("teacher"), 600);
  }

  /// Light and dark, as the tour shows them.
  void everyPanelIsPictured() {
    if (const QString other = qEnvironmentVariable("MEANFLOW_TOUR_RUN"); !other.isEmpty()) {
      window_->openFolder(other);
      QTRY_VERIFY(window_->source()->folder() == QFileInfo(other).absoluteFilePath() &&
                  !window_->source()->isLoading());
    }
    for (const auto choice : {ThemeChoice::kLight, ThemeChoice::kDark}) {
      theme_->setChoice(choice);
      look_ = choice == ThemeChoice::kLight ? QStringLiteral("light") : QStringLiteral("dark");
      const Qt::Key perspectives[] = {Qt::Key_F5, Qt::Key_F6, Qt::Key_F7, Qt::Key_F8};
      const char* names[] = {"train", "diagnose", "sample", "evaluate"};
      for (int i = 0; i < 4; ++i) {
        key(perspectives[i]);
        key(Qt::Key_R, Qt::ControlModifier | Qt::ShiftModifier);
        picture(window_.get(), QLatin1String(names[i]));
      }
      key(Qt::Key_F7);
      bringUp(QStringLiteral("class_grids"));
      click(QStringLiteral("Make images"));
      auto* panel = window_->findChild<ClassGridPanel*>();
      QTRY_VERIFY_WITH_TIMEOUT(panel->job().grid(0) && !panel->job().isBusy(), kPatienceMs);
      picture(panel, QStringLiteral("class_grids"));
      auto* way = named<QComboBox>(*panel, QStringLiteral("What the columns are"));
      way->setFocus();
      QTest::keyClick(way, Qt::Key_Down);
      QTest::keyClick(way, Qt::Key_Down);
      QTRY_VERIFY_WITH_TIMEOUT(panel->job().settings().towards_class && !panel->job().isBusy(), kPatienceMs);
      picture(panel, QStringLiteral("interpolation"));
      QTest::keyClick(way, Qt::Key_Up);
      QTest::keyClick(way, Qt::Key_Up);
      QTRY_VERIFY_WITH_TIMEOUT(!panel->job().settings().isInterpolation() && !panel->job().isBusy(), kPatienceMs);
      key(Qt::Key_F8);
      for (const char* name : {"curves", "runs", "system", "log", "pipeline"}) {
        bringUp(QLatin1String(name));
        auto* dock = window_->findChild<QDockWidget*>(QLatin1String(name));
        QVERIFY2(dock->widget()->isVisible(), name);
        if (qstrcmp(name, "system") == 0) QTest::qWait(2500);  // a chart needs two looks
        picture(dock->widget(), QLatin1String(name));
      }
      bringUp(QStringLiteral("evaluation"));
      QTest::qWait(500);  // the report is read on another thread; a tiny run has none
      auto* scores = named<QTableWidget>(*window_, QStringLiteral("Scores"));
      if (scores && scores->rowCount() > 2) scores->setCurrentCell(2, 4);
      picture(window_->findChild<EvaluationPanel*>(), QStringLiteral("evaluation"));
      bringUp(QStringLiteral("data"));
      auto* data = window_->findChild<DataPanel*>();
      QTRY_VERIFY_WITH_TIMEOUT(!data->answer().images.empty(), kPatienceMs);
      picture(data, QStringLiteral("data"));
      key(Qt::Key_F5);
      for (const char* name : {"samples", "trajectory", "cmt", "checkpoints"}) {
        bringUp(QLatin1String(name));
        if (qstrcmp(name, "checkpoints") == 0) {
          auto* tree = named<QTreeWidget>(*window_, QStringLiteral("Checkpoints of the run"));
          QTest::mouseClick(tree->viewport(), Qt::LeftButton, {}, tree->visualItemRect(tree->topLevelItem(1)).center());
        }
        picture(window_->findChild<QDockWidget*>(QLatin1String(name))->widget(), QLatin1String(name));
      }
      key(Qt::Key_K, Qt::ControlModifier);
      QTRY_VERIFY(window_->palette().isVisible());
      QTest::keyClicks(window_->palette().findChild<QLineEdit*>(), QStringLiteral("lr"));
      picture(&window_->palette(), QStringLiteral("palette"));
      QTest::keyClick(window_->palette().findChild<QLineEdit*>(), Qt::Key_Escape);
      QTRY_VERIFY(!window_->palette().isVisible());
      activate();
      key(Qt::Key_W, Qt::ControlModifier);
      QVERIFY(window_->source() == nullptr);
      picture(window_.get(), QStringLiteral("welcome"));
      key(Qt::Key_N, Qt::ControlModifier);
      picture(window_.get(), QStringLiteral("new_run"));
      window_->openFolder(qEnvironmentVariable("MEANFLOW_TOUR_RUN", run_));
      QTRY_VERIFY(window_->source() && !window_->source()->isLoading());
    }
    theme_->setChoice(ThemeChoice::kSystem);
  }

 private:
  void open() {
    window_ = std::make_unique<MainWindow>(*theme_, *settings_, openHost);
    window_->resize(1280, 720);
    window_->show();
    window_->loadTrainingLibrary();
    QTRY_VERIFY_WITH_TIMEOUT(window_->isTrainingReady(), kPatienceMs);
    activate();
  }
  void activate() { QApplication::setActiveWindow(window_.get()); }  // there is no window manager to do it
  void key(Qt::Key which, Qt::KeyboardModifiers modifiers = {}) {
    QWidget* focus = QApplication::focusWidget();
    QTest::keyClick(focus && focus->window() == window_.get() ? focus : window_.get(), which, modifiers);
    QTest::qWait(30);
  }
  void click(const QString& name) {
    QAbstractButton* button = nullptr;
    QTRY_VERIFY2_WITH_TIMEOUT((button = named<QAbstractButton>(*window_, name)) && button->isEnabled(),
                              qPrintable(name), 5000);
    QTest::mouseClick(button, Qt::LeftButton);
    QTest::qWait(30);
  }
  /// By the panel's key in the menu.
  void bringUp(const QString& name) {
    auto* dock = window_->findChild<QDockWidget*>(name);
    QVERIFY2(dock, qPrintable(name));
    const auto combination = dock->toggleViewAction()->shortcut()[0];
    if (!dock->isVisible()) key(combination.key(), combination.keyboardModifiers());
    dock->raise();
    QTest::qWait(60);
  }
  /// By a click on the time line.
  void pointAtTeacher(std::int64_t wanted) {
    auto* bar = named<QAbstractSlider>(*window_, QStringLiteral("Step cursor"));
    QVERIFY(bar);
    const auto& axis = window_->source()->axis();
    constexpr int kMargin = 9;  // the ends of the bar
    const double share = static_cast<double>(axis.position("teacher", wanted)) / static_cast<double>(axis.end());
    QTest::mouseClick(bar, Qt::LeftButton, {},
                      QPoint(kMargin + qRound((bar->width() - 2 * kMargin) * share), bar->height() / 2));
    bar->setFocus();
    for (int i = 0; i < 10 && window_->timeline().cursor().step != wanted; ++i)
      key(window_->timeline().cursor().step < wanted ? Qt::Key_Right : Qt::Key_Left);
    QCOMPARE(window_->timeline().cursor().stage, std::string("teacher"));
    QCOMPARE(window_->timeline().cursor().step, wanted);
  }
  /// The row of a run in a list of them, with the focus.
  static bool choose(QListWidget& list, const QString& folder) {
    list.setFocus();
    for (int row = 0; row < list.count(); ++row) {
      if (list.item(row)->data(Qt::UserRole).toString() != folder) continue;
      list.setCurrentRow(row);
      return true;
    }
    return false;
  }
  int checkpointRow(const QString& stage, std::int64_t wanted) const {
    const auto* tree = window_->findChild<CheckpointsPanel*>()->findChild<QTreeWidget*>();
    for (int row = 0; row < tree->topLevelItemCount(); ++row)
      if (tree->topLevelItem(row)->text(0) == stage && tree->topLevelItem(row)->text(1).toLongLong() == wanted)
        return row;
    return -1;
  }
  std::int64_t step(const std::string& stage) const {
    if (!window_->source()) return 0;
    for (const auto& each : window_->source()->summary().stages)
      if (each.name == stage) return each.step;
    return 0;
  }
  base::RunState state() const {
    return window_->source() ? window_->source()->summary().state : base::RunState::kIdle;
  }
  void picture(QWidget* widget, const QString& name) {
    QTest::qWait(250);
    const QImage image = widget->grab().toImage().convertToFormat(QImage::Format_RGB32);
    QVERIFY2(image.width() > 100 && image.height() > 60, qPrintable(name));
    QSet<QRgb> colours;
    for (int y = 0; y < image.height(); y += 2)
      for (int x = 0; x < image.width(); x += 2) colours.insert(image.pixel(x, y));
    QVERIFY2(colours.size() > 8, qPrintable(name + QStringLiteral(" is blank")));
    QVERIFY(image.save(QStringLiteral("%1/%2_%3.png").arg(out_, name, look_), nullptr, 0));  // as small as may be
  }

  std::unique_ptr<Theme> theme_;
  QTemporaryDir dir_;
  std::unique_ptr<QSettings> settings_;
  std::unique_ptr<MainWindow> window_;
  QString run_, out_, look_;
};

STUDIO_TEST(TestWalk)
#include "tst_walk.moc"
