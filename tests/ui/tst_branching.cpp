// SPDX-License-Identifier: Apache-2.0
//
// A new run that leaves the one on show: from the menu, the time line, a checkpoint and an alarm to what the training
// library is asked.
#include <QDir>
#include <QPushButton>
#include <QSignalSpy>
#include <QToolButton>

#include "tests/support/studio_test.h"
#include "tests/ui/run_to_leave.h"
#include "ui/config/field_editor.h"
#include "ui/config/setting_search.h"
#include "ui/panels/checkpoints_panel.h"
#include "ui/panels/queue_panel.h"

using namespace meanflow;
using namespace meanflow::ui;

class TestBranching : public testing::RunToLeave {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase() { theme_ = std::make_unique<Theme>(*qApp); }
  void init() { makeRun(); }
  void cleanup() { window_.reset(); }

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
};

STUDIO_TEST(TestBranching)
#include "tst_branching.moc"
