// SPDX-License-Identifier: Apache-2.0
//
// A new run that leaves the one on show, and a replay of one of its steps: from the menu, the time line, a checkpoint
// and an alarm to what the training library is asked, and what is shown of its answer.
#include <QApplication>
#include <QDir>
#include <QDockWidget>
#include <QFile>
#include <QLabel>
#include <QLineEdit>
#include <QListWidget>
#include <QMenuBar>
#include <QPushButton>
#include <QSettings>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QToolButton>
#include <QTreeWidget>
#include <cmath>

#include "core/base/config/config_io.h"
#include "tests/base/checkpoint_maker.h"
#include "tests/support/studio_test.h"
#include "tests/ui/made_up_figures.h"
#include "tests/ui/made_up_run.h"
#include "tests/ui/obedient_host.h"
#include "ui/config/branch_dialog.h"
#include "ui/config/branch_plan.h"
#include "ui/config/field_editor.h"
#include "ui/config/setting_search.h"
#include "ui/main_window.h"
#include "ui/panels/alarms_panel.h"
#include "ui/panels/checkpoints_panel.h"
#include "ui/panels/queue_panel.h"
#include "ui/panels/replay_strip.h"
#include "ui/panels/runs_panel.h"
#include "ui/panels/step_timeline.h"
#include "ui/theme/theme.h"
#include "ui/window/step_actions.h"

using namespace meanflow;
using namespace meanflow::ui;

namespace {

template <class Button>
Button* buttonCalled(const QWidget& within, const char* name) {
  for (auto* button : within.findChildren<Button*>())
    if (button->accessibleName() == QString::fromUtf8(name)) return button;
  return nullptr;
}

}  // namespace

class TestBranching : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase() { theme_ = std::make_unique<Theme>(*qApp); }
  void init() {
    dir_ = std::make_unique<QTemporaryDir>();
    qputenv("XDG_STATE_HOME", dir_->filePath(QStringLiteral("state")).toUtf8());
    settings_ = std::make_unique<QSettings>(dir_->filePath(QStringLiteral("settings.ini")), QSettings::IniFormat);
    run_ = dir_->filePath(QStringLiteral("runs/emoji"));
    auto records = testing::madeUpRun({.has_samples = false, .state = base::RunState::kFailed});
    for (auto& record : testing::madeUpAlarms("mean_flow")) records.push_back(std::move(record));
    for (std::size_t i = 0; i < records.size(); ++i) records[i].sequence = static_cast<std::int64_t>(i);
    testing::writeRunFolder(run_, records);
    QFile config(run_ + QStringLiteral("/config.yaml"));
    QVERIFY(config.open(QIODevice::WriteOnly));
    config.write(
        "stages: [encoder, decoder, teacher, cmt, mean_flow]\nteacher:\n  training:\n    lr: 0.002\n"
        "mean_flow:\n  training:\n    skip_steps: [7]\n    clip_grad: 2.5\n");
    config.close();
    for (const int step : {200, 400, 1600})
      testing::writeMadeUpCheckpoint(run_.toStdString(), {.stage = "teacher", .step = step});
    testing::writeMadeUpCheckpoint(run_.toStdString(), {.stage = "mean_flow", .step = 100});
  }
  void cleanup() { window_.reset(); }

  // What a branch is made of

  void itStartsFromTheNewestCheckpointAtOrBeforeTheStep() {
    const std::string parent = run_.toStdString();
    const auto at = [&](const std::string& stage, std::int64_t step) {
      return readBranchStart({parent, stage, step}).value().checkpoint;
    };
    QCOMPARE(at("teacher", 399).value(), std::int64_t{200});
    QCOMPARE(at("teacher", 400).value(), std::int64_t{400});
    QVERIFY(!at("teacher", 199));
    QVERIFY(!at("cmt", 900));
    QCOMPARE(readBranchStart({parent, "teacher", 1})->config.teacher.training.lr, 0.002);
    QVERIFY(!readBranchStart({parent, "report", 1}).ok());
    QVERIFY(!readBranchStart({dir_->filePath(QStringLiteral("nowhere")).toStdString(), "teacher", 1}).ok());
  }

  void theWayToTheStepIsSaidInWords() {
    const auto way = [](std::int64_t step, std::optional<std::int64_t> checkpoint) {
      return branchWay({"/r", "teacher", step}, checkpoint);
    };
    QCOMPARE(way(400, 400), QStringLiteral("It starts from the checkpoint of step 400; nothing is trained again."));
    QCOMPARE(way(401, 400),
             QStringLiteral("It starts from the checkpoint of step 400; 1 step is trained again as the run did."));
    QVERIFY(way(450, 400).contains(QStringLiteral("50 steps are trained again")));
    QVERIFY(way(50, {}).contains(QStringLiteral("no checkpoint at or before this step")));
    QCOMPARE(way(0, {}), QStringLiteral("It starts at the beginning of the stage."));
  }

  void onlySettingsThatConcernTheStageAreProposed() {
    const auto fields = base::schema();
    for (const char* stage : {"encoder", "decoder", "teacher", "cmt", "mean_flow", "control"}) {
      const auto keys = branchSettings(stage);
      for (const auto& key : keys)
        QVERIFY2(std::any_of(fields.begin(), fields.end(), [&](const auto& f) { return f.key == key.toStdString(); }),
                 qPrintable(key));
      QCOMPARE(keys.contains(QStringLiteral("mean_flow.delta_t")), stage == std::string("mean_flow"));
      QVERIFY(keys.contains(QStringLiteral("diagnostics.on_divergence")));
    }
    QCOMPARE(branchSettings("teacher").front(), QStringLiteral("teacher.training.lr"));
    QCOMPARE(branchSettings("control").front(), QStringLiteral("cmt.control_lr"));
    QVERIFY(!branchSettings("cmt").contains(QStringLiteral("data.skip_samples")));
  }

  void theDifferencesMakeTheBranchOutOfItsParent() {
    const base::RunConfig parent;
    auto branch = parent;
    branch.mean_flow.training.skip_steps = {7, 120};
    branch.mean_flow.training.lr = 3e-5;
    branch.mean_flow.velocity = "mix";
    branch.teacher.weights = "a file: with, odd signs.safetensors";
    branch.stages = {"teacher", "cmt"};
    auto made = parent;
    const auto overrides = branchOverrides(parent, branch);
    QCOMPARE(overrides.size(), std::size_t{5});
    for (const auto& assignment : overrides) QVERIFY2(base::applyOverride(made, assignment).ok(), assignment.c_str());
    QVERIFY(base::difference(made, branch).empty());
  }

  void settingsAreFoundByLettersAndByHelp() {
    SettingSearch search(*theme_, QStringLiteral("Add"));
    search.show();
    QSignalSpy picked(&search, &SettingSearch::picked);
    QVERIFY(!search.list().isVisible());
    QTest::keyClicks(&search.line(), QStringLiteral("tea warm"));
    QCOMPARE(search.list().item(0)->text(), QStringLiteral("teacher.training.warmup_steps"));
    QTest::keyClick(&search.line(), Qt::Key_Down);
    QTest::keyClick(&search.line(), Qt::Key_Up);
    QTest::keyClick(&search.line(), Qt::Key_Return);
    QCOMPARE(picked.size(), 1);
    QCOMPARE(picked[0][0].toString(), QStringLiteral("teacher.training.warmup_steps"));
    QVERIFY(search.line().text().isEmpty() && !search.list().isVisible());
    search.line().setText(QStringLiteral("Arithmetic of training"));
    QCOMPARE(search.list().item(0)->text(), QStringLiteral("precision"));
    search.line().setText(QStringLiteral("qqqqzz"));
    QTest::keyClick(&search.line(), Qt::Key_Return);
    QCOMPARE(picked.size(), 1);
    QTest::keyClick(&search.line(), Qt::Key_Escape);
    QVERIFY(search.line().text().isEmpty());
  }

  // From the window to the training library

  void theStepUnderTheCursorIsBranchedFromTheMenu() {
    open();
    window_->timeline().setCursor(QStringLiteral("teacher"), 450);
    auto* ask = askBy("branch");
    QVERIFY(ask);
    QCOMPARE(ask->at().stage, std::string("teacher"));
    QCOMPARE(ask->at().step, std::int64_t{450});
    QTRY_VERIFY(ask->editorOf(QStringLiteral("teacher.training.lr")));
    QVERIFY2(says(*ask, "emoji · Teacher · after step 450"), "what is branched from");
    QVERIFY2(says(*ask, "It starts from the checkpoint of step 400; 50 steps are trained again"), "the way");
    QVERIFY2(says(*ask, "holds from step 451 on"), "from when on");
    QVERIFY2(says(*ask, "No setting differs yet"), "no changes");
    QVERIFY(!ask->editorOf(QStringLiteral("mean_flow.delta_t")));
    auto* lr = qobject_cast<QLineEdit*>(ask->editorOf(QStringLiteral("teacher.training.lr"))->editor());
    QCOMPARE(lr->text(), QStringLiteral("0.002"));
    QCOMPARE(ask->folder(), dir_->filePath(QStringLiteral("runs/emoji-teacher-450")));
    lr->selectAll();
    QTest::keyClicks(lr, QStringLiteral("0.0005"));
    QTest::keyClick(lr, Qt::Key_Return);  // takes the setting, starts nothing
    QVERIFY(ask->isVisible());
    // One more, found by a few letters.
    auto& search = *ask->findChild<SettingSearch*>();
    QTest::keyClicks(&search.line(), QStringLiteral("teacher ema"));
    QTest::keyClick(&search.line(), Qt::Key_Return);
    auto* ema = ask->editorOf(QStringLiteral("teacher.training.ema_decay"));
    QVERIFY(ema);
    QTRY_VERIFY(ema->editor()->hasFocus() && ema->visibleRegion().boundingRect().height() == ema->height());
    auto* ema_line = qobject_cast<QLineEdit*>(ema->editor());
    ema_line->selectAll();
    QTest::keyClicks(ema_line, QStringLiteral("0.9"));
    auto* changes = ask->findChild<QTreeWidget*>();
    QCOMPARE(changes->topLevelItemCount(), 2);
    QCOMPARE(changes->topLevelItem(0)->text(0), QStringLiteral("teacher.training.lr"));
    QCOMPARE(changes->topLevelItem(0)->text(1), QStringLiteral("0.002"));
    QCOMPARE(changes->topLevelItem(0)->text(2), QStringLiteral("0.0005"));
    QVERIFY(testing::picturesInBothLooks(*theme_, *ask, out(), QStringLiteral("branch_dialog")));
    auto* start = buttonCalled<QPushButton>(*ask, "Start the branch");
    QVERIFY2(start->isEnabled(), qPrintable(ask->obstacle()));
    start->click();
    QTRY_VERIFY(!window_->stepActions().dialog());
    const auto& sent = host_->last_request;
    QCOMPARE(QString::fromStdString(sent.run_folder), dir_->filePath(QStringLiteral("runs/emoji-teacher-450")));
    QVERIFY(sent.config.empty() && sent.branch);
    QCOMPARE(QString::fromStdString(sent.branch->parent), run_);
    QCOMPARE(sent.branch->stage, std::string("teacher"));
    QCOMPARE(sent.branch->step, std::int64_t{450});
    QCOMPARE(sent.overrides,
             (std::vector<std::string>{"teacher.training.lr=0.0005", "teacher.training.ema_decay=0.9"}));
    // The branch is on show like any run that was started, and its parent's curves are laid over it.
    QVERIFY(window_->source()->isLive());
    QCOMPARE(window_->source()->folder(), dir_->filePath(QStringLiteral("runs/emoji-teacher-450")));
    QTRY_VERIFY(window_->controller().actions().can_stop);
    QCOMPARE(overlaid(), QStringList{run_});
  }

  void aCheckpointIsBranchedFrom() {
    open();
    auto* panel = window_->findChild<CheckpointsPanel*>();
    auto* tree = panel->findChild<QTreeWidget*>();
    QTRY_COMPARE(tree->topLevelItemCount(), 4);
    auto* button = buttonCalled<QToolButton>(*panel, "Branch from here…");
    QVERIFY(!button->isEnabled());
    QVERIFY(button->toolTip().contains(QStringLiteral("choose a checkpoint first")));
    for (int row = 0; row < 2; ++row) tree->topLevelItem(row)->setSelected(true);
    QVERIFY(!button->isEnabled() && button->toolTip().contains(QStringLiteral("choose one checkpoint only")));
    tree->clearSelection();
    tree->topLevelItem(1)->setSelected(true);  // teacher, step 400
    QVERIFY(button->isEnabled());
    button->click();
    auto* ask = window_->stepActions().dialog();
    QVERIFY(ask);
    QCOMPARE(ask->at().stage, std::string("teacher"));
    QCOMPARE(ask->at().step, std::int64_t{400});
    QTRY_VERIFY(says(*ask, "It starts from the checkpoint of step 400; nothing is trained again."));
    ask->reject();
    // Its menu has the same.
    const auto actions = tree->actions();
    QVERIFY(std::any_of(actions.begin(), actions.end(),
                        [](const auto* each) { return each->text() == QStringLiteral("Branch from here…"); }));
  }

  void anAlarmIsBranchedAroundFromTheStepBefore() {
    open();
    auto* panel = window_->findChild<AlarmsPanel*>();
    chooseAlarm(*panel, 1);  // the loss was not finite in step 120
    auto* button = buttonCalled<QPushButton>(*panel, "Branch from before it…");
    QVERIFY2(button->isEnabled(), qPrintable(button->toolTip()));
    QVERIFY(button->toolTip().contains(QStringLiteral("passes over step 120")));
    button->click();
    auto* ask = window_->stepActions().dialog();
    QVERIFY(ask);
    const QString key = QStringLiteral("mean_flow.training.skip_steps");
    QTRY_VERIFY(ask->editorOf(key));
    QCOMPARE(ask->at().step, std::int64_t{119});
    QCOMPARE(ask->draft().text(key), QStringLiteral("[7, 120]"));
    QVERIFY(ask->editorOf(QStringLiteral("mean_flow.delta_t")));
    QCOMPARE(ask->draft().text(QStringLiteral("mean_flow.training.clip_grad")), QStringLiteral("2.5"));
    QVERIFY(testing::picturesInBothLooks(*theme_, *ask, out(), QStringLiteral("branch_dialog_alarm")));
    buttonCalled<QPushButton>(*ask, "Start the branch")->click();
    QCOMPARE(host_->last_request.overrides, std::vector<std::string>{"mean_flow.training.skip_steps=[7, 120]"});
    QCOMPARE(host_->last_request.branch->step, std::int64_t{119});
  }

  void theBadStepIsTheOneItHappenedIn() {
    AlarmRow row;
    row.alarm = base::AlarmRaised{.stage = "cmt", .step = 180};
    QCOMPARE(badStep(row), std::int64_t{180});
    row.alarm->origin.step = 179;
    QCOMPARE(badStep(row), std::int64_t{179});
    row.diagnosis = base::DiagnosisReady{.stage = "cmt", .step = 180};
    row.diagnosis->origin.step = 178;
    QCOMPARE(badStep(row), std::int64_t{178});
  }

  void theTimeLineHasAMenuForTheStepPointedAt() {
    open();
    auto* bar = window_->findChild<TimelineBar*>();
    QVERIFY(bar->actions().contains(action("branch")) && bar->actions().contains(action("replay")));
    QTest::mouseClick(bar, Qt::RightButton, {}, QPoint(bar->width() / 2, bar->height() / 2));
    QVERIFY(!window_->timeline().isLive());
    const auto pointed_at = window_->timeline().cursor();
    QCOMPARE(pointed_at.stage, std::string("teacher"));
    if (auto* menu = QApplication::activePopupWidget()) menu->close();
    auto* ask = askBy("branch");
    QCOMPARE(ask->at().step, pointed_at.step);
  }

  void whatIsNotValidCannotBeStarted() {
    open();
    QVERIFY(QDir().mkpath(dir_->filePath(QStringLiteral("runs/emoji-teacher-450"))));
    window_->timeline().setCursor(QStringLiteral("teacher"), 450);
    auto* ask = askBy("branch");
    QTRY_VERIFY(ask->editorOf(QStringLiteral("teacher.training.lr")));
    auto* start = buttonCalled<QPushButton>(*ask, "Start the branch");
    auto* queue = buttonCalled<QPushButton>(*ask, "Add to the queue");
    auto* name = lineCalled(*ask, "Name of the new run");
    QCOMPARE(name->text(), QStringLiteral("emoji-teacher-450-2"));  // the other is taken
    QVERIFY(start->isEnabled() && queue->isEnabled());
    const auto isRefused = [&](const char* words) {
      return !start->isEnabled() && !queue->isEnabled() && ask->obstacle().contains(QLatin1String(words)) &&
             start->toolTip() == ask->obstacle() && says(*ask, words);
    };
    const auto typeName = [&](const QString& text) {
      name->selectAll();
      text.isEmpty() ? QTest::keyClick(name, Qt::Key_Delete) : QTest::keyClicks(name, text);
    };
    typeName(QStringLiteral("emoji"));
    QVERIFY(isRefused("exists already"));
    typeName(QStringLiteral("a/b"));
    QVERIFY(isRefused("without a slash"));
    typeName({});
    QVERIFY(isRefused("The run needs a name"));
    typeName(QStringLiteral("mine"));
    QVERIFY(start->isEnabled());
    ask->draft().edit(QStringLiteral("teacher.training.lr"), QStringLiteral("many"));
    QVERIFY(isRefused("Not valid yet: teacher.training.lr"));
    QVERIFY(says(*ask->editorOf(QStringLiteral("teacher.training.lr")), "expected"));
    QVERIFY(testing::picturesInBothLooks(*theme_, *ask, out(), QStringLiteral("branch_dialog_invalid")));
    // Ctrl+Z takes it back.
    QTest::keyClick(ask->editorOf(QStringLiteral("teacher.training.lr"))->editor(), Qt::Key_Z, Qt::ControlModifier);
    QTRY_VERIFY(start->isEnabled());
    QCOMPARE(ask->draft().text(QStringLiteral("teacher.training.lr")), QStringLiteral("0.002"));
  }

  void aRefusalIsShownAndTheDialogStays() {
    open();
    window_->timeline().setCursor(QStringLiteral("teacher"), 450);
    auto* ask = askBy("branch");
    QTRY_VERIFY(ask->editorOf(QStringLiteral("teacher.training.lr")));
    auto* name = lineCalled(*ask, "Name of the new run");
    name->selectAll();
    QTest::keyClicks(name, QStringLiteral("bad"));
    buttonCalled<QPushButton>(*ask, "Start the branch")->click();
    QVERIFY(ask->isVisible());
    QVERIFY(says(*ask, "teacher.model.depth is 0; set it to at least 1"));
    QCOMPARE(window_->source()->folder(), run_);
    QVERIFY(overlaid().isEmpty());
  }

  void aRunFolderThatCannotBeReadSaysSo() {
    open();
    QFile config(run_ + QStringLiteral("/config.yaml"));
    QVERIFY(config.open(QIODevice::WriteOnly));
    config.write("teacher: {colour: red}\n");
    config.close();
    auto* ask = askBy("branch");
    QTRY_VERIFY(says(*ask, "colour"));
    QVERIFY(!buttonCalled<QPushButton>(*ask, "Start the branch")->isEnabled());
  }

  void whileARunIsTrainedABranchCanOnlyBeQueued() {
    open();
    window_->setDemoOptions({.out_folder = dir_->filePath(QStringLiteral("demo"))});
    window_->startDemo();
    QTRY_VERIFY(window_->controller().actions().can_pause);
    QTRY_VERIFY(window_->timeline().cursor().step > 10);
    QVERIFY(QDir().mkpath(dir_->filePath(QStringLiteral("demo"))));
    QFile config(dir_->filePath(QStringLiteral("demo/config.yaml")));
    QVERIFY(config.open(QIODevice::WriteOnly));
    config.write("seed: 1\n");
    config.close();
    QVERIFY(!action("replay")->isEnabled());
    QVERIFY(action("replay")->toolTip().contains(QStringLiteral("would slow it down")));
    window_->timeline().setCursor(QStringLiteral("encoder"), 100);
    auto* ask = askBy("branch");
    QTRY_VERIFY(ask->editorOf(QStringLiteral("encoder.training.lr")));
    auto* start = buttonCalled<QPushButton>(*ask, "Start the branch");
    auto* queue = buttonCalled<QPushButton>(*ask, "Add to the queue");
    QVERIFY(!start->isEnabled() && queue->isEnabled());
    QVERIFY(start->toolTip().contains(QStringLiteral("already being trained")));
    ask->draft().edit(QStringLiteral("encoder.training.lr"), QStringLiteral("0.01"));
    queue->click();
    QCOMPARE(window_->queue().runs().size(), std::size_t{1});
    // The queue keeps it over a restart, and starts it when the run has ended.
    window_->queue().flush();
    {
      RunQueue later;
      QSignalSpy loaded(&later, &RunQueue::loaded);
      later.load();
      QTRY_COMPARE(loaded.size(), 1);
      const auto& kept = later.runs().front();
      QVERIFY(kept.branch);
      QCOMPARE(kept.branch->stage, std::string("encoder"));
      QCOMPARE(kept.branch->step, std::int64_t{100});
      QCOMPARE(kept.overrides, QStringList{QStringLiteral("encoder.training.lr=0.01")});
      later.flush();
    }
    window_->queue().setGoing(true);
    window_->controller().stopAndSave();
    QTRY_VERIFY(window_->source()->folder().endsWith(QStringLiteral("demo-encoder-100")));
    QVERIFY(host_->last_request.branch && host_->last_request.config.empty());
    QCOMPARE(QString::fromStdString(host_->last_request.branch->parent), dir_->filePath(QStringLiteral("demo")));
    QCOMPARE(host_->last_request.overrides, std::vector<std::string>{"encoder.training.lr=0.01"});
    window_->queue().setGoing(false);
  }

  void aBranchOfTheQueueThatIsThereAlreadyGoesOn() {
    open();
    const QString folder = dir_->filePath(QStringLiteral("runs/half"));
    testing::writeRunFolder(folder, testing::madeUpRun({.num_stages = 1, .has_samples = false}));
    base::RunRequest request;
    request.run_folder = folder.toStdString();
    request.branch = base::BranchPoint{run_.toStdString(), "teacher", 450};
    request.overrides = {"teacher.training.lr=0.01"};
    window_->queue().addBranch(request);
    window_->queue().setGoing(true);
    QTRY_VERIFY(window_->source()->isLive());
    QCOMPARE(QString::fromStdString(host_->last_request.run_folder), folder);
    QVERIFY(!host_->last_request.branch && host_->last_request.overrides.empty());
    window_->queue().setGoing(false);
  }

  void aQueuedBranchIsAskedForOnceMoreToBeChanged() {
    open();
    base::RunRequest request;
    request.run_folder = dir_->filePath(QStringLiteral("runs/gentler")).toStdString();
    request.branch = base::BranchPoint{run_.toStdString(), "teacher", 450};
    request.overrides = {"teacher.training.lr=0.01", "teacher.training.skip_steps=[451, 460]"};
    window_->queue().addBranch(request);
    auto& panel = *window_->findChild<QueuePanel*>();
    window_->findChild<QDockWidget*>(QStringLiteral("runs"))->raise();
    auto* duplicate = buttonCalled<QToolButton>(panel, "Duplicate and change");
    QVERIFY(duplicate->isEnabled());
    duplicate->click();
    auto* ask = window_->stepActions().dialog();
    QVERIFY(ask);
    QCOMPARE(ask->at().parent, request.branch->parent);
    QCOMPARE(ask->at().step, std::int64_t{450});
    QCOMPARE(ask->folder(), dir_->filePath(QStringLiteral("runs/gentler-2")));  // the other one is queued already
    QTRY_COMPARE(ask->request().overrides, request.overrides);
    auto* rate = ask->editorOf(QStringLiteral("teacher.training.lr"));
    QVERIFY(rate);
    QCOMPARE(rate->text(), QStringLiteral("0.01"));
    ask->draft().edit(QStringLiteral("teacher.training.lr"), QStringLiteral("0.02"));
    buttonCalled<QPushButton>(*ask, "Add to the queue")->click();
    QCOMPARE(window_->queue().runs().size(), std::size_t{2});
    QCOMPARE(window_->queue().runs()[1].overrides.front(), QStringLiteral("teacher.training.lr=0.02"));
    QTRY_VERIFY(!window_->stepActions().dialog());
    // One that has a folder has a configuration, which becomes a new run's.
    testing::writeRunFolder(dir_->filePath(QStringLiteral("runs/gentler")),
                            testing::madeUpRun({.num_stages = 1, .has_samples = false}));
    QSignalSpy whole(&panel, &QueuePanel::duplicateRequested);
    duplicate->click();
    QCOMPARE(whole.size(), 1);
    QVERIFY(!window_->stepActions().dialog());
  }

  void withoutATrainingLibraryNothingStarts() {
    window_ = std::make_unique<MainWindow>(
        *theme_, *settings_, [](QString* error) { return *error = QStringLiteral("no library"), nullptr; });
    window_->show();
    window_->loadTrainingLibrary();
    window_->openFolder(run_);
    QTRY_VERIFY(!window_->source()->isLoading());
    window_->timeline().setCursor(QStringLiteral("teacher"), 450);
    QVERIFY(!action("replay")->isEnabled());
    auto* ask = askBy("branch");
    QTRY_COMPARE(ask->obstacle(), QStringLiteral("no library"));
    QVERIFY(!buttonCalled<QPushButton>(*ask, "Start the branch")->isEnabled());
    QVERIFY(buttonCalled<QPushButton>(*ask, "Add to the queue")->isEnabled());
  }

  void runsOfOtherProgramsAreOnlyLookedAt() {
    const QString folder = dir_->filePath(QStringLiteral("other"));
    QVERIFY(QDir().mkpath(folder));
    QFile log(folder + QStringLiteral("/log.txt"));
    QVERIFY(log.open(QIODevice::WriteOnly));
    log.write("[\033[34m2025-01-02 03:04:05\033[0m] (step=0000100) Train Loss: 0.9000, Train Steps/Sec: 1.50\n");
    log.close();
    open();
    window_->openFolder(folder);
    QTRY_VERIFY(window_->source()->isForeign() && !window_->source()->isLoading());
    for (const char* name : {"branch", "replay"}) {
      QVERIFY(!action(name)->isEnabled());
      QVERIFY2(action(name)->toolTip().contains(QStringLiteral("can only be looked at")),
               qPrintable(action(name)->toolTip()));
    }
    window_->stepActions().askBranch(QStringLiteral("log.txt"), 100);
    QVERIFY(!window_->stepActions().dialog());
    const auto* button = buttonCalled<QToolButton>(*window_->findChild<CheckpointsPanel*>(), "Branch from here…");
    QVERIFY(button->toolTip().contains(QStringLiteral("can only be looked at")));
  }

  // Replays

  void theStepUnderTheCursorIsReplayedAndItsFindingShown() {
    open();
    window_->timeline().setCursor(QStringLiteral("mean_flow"), 120);
    auto& strip = *window_->findChild<ReplayStrip*>();
    QVERIFY(strip.isHidden());
    QVERIFY2(action("replay")->isEnabled(), qPrintable(action("replay")->toolTip()));
    action("replay")->trigger();
    QCOMPARE(QString::fromStdString(host_->replayed.parent), run_);
    QCOMPARE(host_->replayed.stage, std::string("mean_flow"));
    QCOMPARE(host_->replayed.step, std::int64_t{120});
    QTRY_VERIFY(strip.isVisible());
    QVERIFY(says(strip, "Replay of emoji, step 120 of MeanFlow"));
    QVERIFY(strip.text().contains(QStringLiteral("Trained again beside the run")));
    QVERIFY(testing::picturesInBothLooks(*theme_, *strip.parentWidget(), out(), QStringLiteral("replay_going")));
    // One at a time, and nothing is started beside it.
    QVERIFY(!action("replay")->isEnabled());
    window_->setDemoOptions({.out_folder = dir_->filePath(QStringLiteral("demo"))});
    window_->startDemo();
    QVERIFY2(window_->bannerMessage().contains(QStringLiteral("being replayed")), qPrintable(window_->bannerMessage()));

    base::ReplayOutcome outcome;
    outcome.found = {.stage = "mean_flow", .step = 120, .kind = "non_finite"};
    outcome.found.origin = {
        .step = 120, .tensor = "blocks.2.attn.qkv.weight", .block = "blocks.2", .operation = "aten::mm", .sample = 41};
    outcome.found.text = "The first value that is not finite is made by aten::mm in blocks.2.";
    outcome.found.report = (run_ + QStringLiteral("/mean_flow/diagnostics/step_00000120_replay")).toStdString();
    QVERIFY(QDir().mkpath(QString::fromStdString(outcome.found.report)));
    host_->tell_replay(outcome);
    QTRY_COMPARE(strip.text(), QString::fromStdString(outcome.found.text));
    QCOMPARE(strip.facts(),
             QStringList({QStringLiteral("First in step: 120"), QStringLiteral("Tensor: blocks.2.attn.qkv.weight"),
                          QStringLiteral("Block: blocks.2"), QStringLiteral("Operation: aten::mm"),
                          QStringLiteral("Sample: 41"),
                          QStringLiteral("How exact: the recorded losses came back to the bit")}));
    strip.disconnect(SIGNAL(openRequested(QString)));  // no file manager in a test
    QSignalSpy asked(&strip, &ReplayStrip::openRequested);
    auto* report = buttonCalled<QPushButton>(strip, "Open the report of the replay");
    QVERIFY(report->isVisible() && report->isEnabled());
    QVERIFY(testing::picturesInBothLooks(*theme_, *strip.parentWidget(), out(), QStringLiteral("replay_found")));
    report->click();
    QCOMPARE(asked.size(), 1);
    QCOMPARE(asked[0][0].toString(), QString::fromStdString(outcome.found.report));
    QVERIFY(action("replay")->isEnabled());
    buttonCalled<QToolButton>(strip, "Close the finding of the replay")->click();
    QVERIFY(strip.isHidden());
  }

  void howExactAReplayWasIsSaid() {
    testing::ObedientHost host;
    ReplayJob job;
    ReplayStrip strip(*theme_);
    strip.setJob(&job);
    job.setHost(&host);
    for (const auto& [error, words] : {std::pair{2e-7, "within a relative 2e-07"}, {std::nan(""), "not compared"}}) {
      job.start({"/nowhere", "cmt", 5});
      host.tell_replay({.found = {.stage = "cmt", .step = 5, .kind = "none", .replay_error = error}, .error = {}});
      QTRY_VERIFY(job.outcome());
      QVERIFY2(strip.facts().back().contains(QLatin1String(words)), qPrintable(strip.facts().back()));
    }
    QVERIFY(!buttonCalled<QPushButton>(strip, "Open the report of the replay")->isVisibleTo(&strip));
  }

  void aReplayIsCancelledFromItsStrip() {
    open();
    window_->timeline().setCursor(QStringLiteral("mean_flow"), 120);
    action("replay")->trigger();
    auto& strip = *window_->findChild<ReplayStrip*>();
    auto* cancel = buttonCalled<QPushButton>(strip, "Cancel the replay");
    QTRY_VERIFY(cancel->isVisible() && cancel->isEnabled());
    cancel->click();
    QCOMPARE(host_->num_replays_cancelled, 1);
    QVERIFY2(strip.text().startsWith(QStringLiteral("Being cancelled")), qPrintable(strip.text()));
    QVERIFY(cancel->isVisible() && !cancel->isEnabled());
    QVERIFY(!action("replay")->isEnabled());  // it goes on until the host has said so
    QVERIFY(testing::picturesInBothLooks(*theme_, *strip.parentWidget(), out(), QStringLiteral("replay_cancelling")));
    host_->tell_replay({.found = {}, .error = "the replay was stopped", .is_cancelled = true});
    QTRY_VERIFY2(strip.text().startsWith(QStringLiteral("Cancelled before the step")), qPrintable(strip.text()));
    QCOMPARE(strip.property("level").toString(), QStringLiteral("info"));
    QVERIFY(cancel->isHidden() && strip.facts().isEmpty());
    QVERIFY(buttonCalled<QToolButton>(strip, "Close the finding of the replay")->isVisible());
    QVERIFY(action("replay")->isEnabled());
    QVERIFY(testing::picturesInBothLooks(*theme_, *strip.parentWidget(), out(), QStringLiteral("replay_cancelled")));
    // The next one can be cancelled, too.
    action("replay")->trigger();
    QTRY_VERIFY(cancel->isVisible() && cancel->isEnabled());
  }

  void refusalsAndErrorsOfAReplayAreShown() {
    open();
    auto* panel = window_->findChild<AlarmsPanel*>();
    auto& strip = *window_->findChild<ReplayStrip*>();
    chooseAlarm(*panel, 1);
    auto* button = buttonCalled<QPushButton>(*panel, "Replay this step");
    QVERIFY2(button->isEnabled(), qPrintable(button->toolTip()));
    host_->replay_refusal = "a step is being replayed already; wait for its report";
    button->click();
    QCOMPARE(strip.text(),
             QStringLiteral("The step was not replayed: a step is being replayed already; wait for its report"));
    host_->replay_refusal.clear();
    QVERIFY(button->isEnabled());
    button->click();
    QCOMPARE(host_->replayed.step, std::int64_t{120});
    QVERIFY(!button->isEnabled());
    QVERIFY(button->toolTip().contains(QStringLiteral("being replayed already")));
    base::ReplayOutcome outcome;
    outcome.error = "mean_flow ended before step 120";
    host_->tell_replay(outcome);
    QTRY_COMPARE(strip.text(), QStringLiteral("The step was not replayed: mean_flow ended before step 120"));
    QVERIFY(strip.facts().isEmpty());
    QVERIFY(testing::picturesInBothLooks(*theme_, *strip.parentWidget(), out(), QStringLiteral("replay_error")));
    QVERIFY(button->isEnabled());
  }

 private:
  void open() {
    window_ = std::make_unique<MainWindow>(*theme_, *settings_,
                                           [this](QString*) { return host_ = new testing::ObedientHost; });
    window_->resize(1280, 720);
    window_->show();
    QApplication::setActiveWindow(window_.get());  // there is no window manager to do it
    window_->loadTrainingLibrary();
    QTRY_VERIFY(window_->isTrainingReady());
    window_->openFolder(run_);
    QTRY_VERIFY(!window_->source()->isLoading());
    QTRY_VERIFY(window_->timeline().cursor().step > 0);
  }
  QAction* action(const char* name) const {
    for (auto* each : window_->menuBar()->findChildren<QAction*>())
      if (each->objectName() == QLatin1String(name)) return each;
    return window_->findChild<QAction*>(QLatin1String(name));
  }
  BranchDialog* askBy(const char* name) const {
    action(name)->trigger();
    return window_->stepActions().dialog();
  }
  void chooseAlarm(AlarmsPanel& panel, int row) const {
    window_->setPerspective(MainWindow::Perspective::kDiagnose);
    auto* dock = window_->findChild<QDockWidget*>(QStringLiteral("alarms"));
    dock->show();
    dock->raise();
    window_->timeline().setCursor(QStringLiteral("mean_flow"), 120);
    QTRY_COMPARE(panel.numRows(), 3);
    panel.list().setCurrentItem(panel.list().topLevelItem(row));
  }
  QStringList overlaid() const {
    for (const auto* panel : window_->findChildren<RunsPanel*>())
      if (!panel->overlaid().isEmpty()) return panel->overlaid();
    return {};
  }
  static QLineEdit* lineCalled(const QWidget& within, const char* name) {
    for (auto* line : within.findChildren<QLineEdit*>())
      if (line->accessibleName() == QLatin1String(name)) return line;
    return nullptr;
  }
  /// Whether a label in sight has the words.
  static bool says(const QWidget& within, const char* words) {
    for (const auto* label : within.findChildren<QLabel*>())
      if (label->isVisibleTo(&within) && label->text().contains(QString::fromUtf8(words))) return true;
    return false;
  }
  static QString out() { return QCoreApplication::applicationDirPath() + QStringLiteral("/../screenshots/figures"); }

  std::unique_ptr<Theme> theme_;
  std::unique_ptr<QTemporaryDir> dir_;
  std::unique_ptr<QSettings> settings_;
  std::unique_ptr<MainWindow> window_;
  testing::ObedientHost* host_ = nullptr;
  QString run_;
};

STUDIO_TEST(TestBranching)
#include "tst_branching.moc"
