// SPDX-License-Identifier: Apache-2.0
#include <QApplication>
#include <QComboBox>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QScrollBar>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QToolButton>
#include <QTreeView>
#include <cmath>

#include "tests/support/studio_test.h"
#include "tests/ui/made_up_run.h"
#include "tests/ui/shown_curves.h"
#include "ui/models/live_run_source.h"
#include "ui/models/run_controller.h"
#include "ui/panels/curves_panel.h"
#include "ui/panels/empty_state.h"
#include "ui/panels/log_panel.h"
#include "ui/panels/pipeline_panel.h"
#include "ui/panels/step_timeline.h"
#include "ui/theme/theme.h"

using namespace meanflow;
using namespace meanflow::ui;
using testing::madeUpRun;

namespace {

class StatefulHost final : public base::TrainingHost {
 public:
  base::Result<void> start(const base::RunRequest&, std::shared_ptr<base::EventSink>) override { return {}; }
  void send(const base::Command& command) override { last = static_cast<int>(command.index()); }
  base::RunState state() const override { return base::RunState::kRunning; }
  void requestSamples(const base::SampleRequest&, std::function<void(const base::SampleResult&)>) override {}
  int last = -1;
};

QAbstractButton* button(const QWidget& panel, const QString& name) {
  for (auto* candidate : panel.findChildren<QAbstractButton*>()) {
    if (candidate->accessibleName() == name) return candidate;
  }
  return nullptr;
}

std::vector<base::EventRecord> powersOfTwo() {
  std::vector<base::EventRecord> records;
  const auto say = [&](base::TrainingEvent event) {
    records.push_back({static_cast<std::int64_t>(records.size()), 1.7e9, std::move(event)});
  };
  say(base::RunStarted{.run_name = "powers", .stages = {"teacher", "cmt"}, .stage_steps = {100, 50}});
  say(base::StageStarted{"teacher", 0, 100, 1});
  for (int step = 1; step <= 100; ++step) {
    base::StepCompleted event{.stage = "teacher", .step = step};
    event.scalars = {{"loss", std::ldexp(1.0, step % 8)}, {"constant", 3.0}};
    say(event);
  }
  return records;
}

}  // namespace

class TestPanels : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase() { theme_ = std::make_unique<Theme>(*qApp); }

  void anEmptyPanelThatIsLowGivesItsRoomToTheWords() {
    EmptyState empty(*theme_, QStringLiteral("samples"));
    empty.setText(QStringLiteral("Nothing is queued"),
                  QStringLiteral("Put a new run here with Queue in the configuration; it starts when the ones before "
                                 "it end."));
    auto* picture = empty.findChild<QToolButton*>();
    empty.resize(260, 300);
    empty.show();
    QTRY_VERIFY(picture->isVisible());
    empty.resize(260, 120);
    QTRY_VERIFY(!picture->isVisible());
    QCoreApplication::sendPostedEvents(nullptr, QEvent::LayoutRequest);
    for (const auto* label : empty.findChildren<QLabel*>())
      QTRY_VERIFY(label->height() >= label->heightForWidth(label->width()));
    empty.resize(260, 300);
    QTRY_VERIFY(picture->isVisible());
  }

  void buttonsShowTheStateOfTheRun() {
    StatefulHost host;
    RunController controller;
    controller.setHost(&host);
    PipelinePanel panel(*theme_, controller);
    panel.resize(320, 600);
    panel.show();
    LiveRunSource source(QStringLiteral("/nowhere"));
    controller.setSource(&source);
    panel.setSource(&source);
    source.feed(madeUpRun({.num_stages = 2}));
    QTRY_VERIFY(button(panel, QStringLiteral("Pause"))->isVisible());
    QVERIFY(button(panel, QStringLiteral("Pause"))->isEnabled());
    QVERIFY(!button(panel, QStringLiteral("Resume"))->isVisible());
    button(panel, QStringLiteral("Pause"))->click();
    QCOMPARE(host.last, 0);
    QVERIFY(button(panel, QStringLiteral("Pause"))->isVisible());  // nothing was reported yet
    report(source, base::RunState::kPausing);
    QTRY_VERIFY(!button(panel, QStringLiteral("Pause"))->isEnabled());
    report(source, base::RunState::kPaused);
    QTRY_VERIFY(button(panel, QStringLiteral("Resume"))->isVisible());
    button(panel, QStringLiteral("Resume"))->click();
    QCOMPARE(host.last, 1);
    report(source, base::RunState::kRunning);
    QTRY_VERIFY(button(panel, QStringLiteral("Pause"))->isEnabled());
    button(panel, QStringLiteral("Stop and save"))->click();
    QCOMPARE(host.last, 2);
    report(source, base::RunState::kStopping);
    QTRY_VERIFY(!button(panel, QStringLiteral("Stop and save"))->isEnabled());
    QVERIFY(button(panel, QStringLiteral("Discard"))->isEnabled());
    report(source, base::RunState::kStopped);
    QTRY_VERIFY(button(panel, QStringLiteral("Continue")) && button(panel, QStringLiteral("Continue"))->isVisible());
    QVERIFY(!button(panel, QStringLiteral("Discard"))->isEnabled());
  }

  void discardAsksFirst() {
    StatefulHost host;
    RunController controller;
    controller.setHost(&host);
    PipelinePanel panel(*theme_, controller);
    LiveRunSource source(QStringLiteral("/nowhere"));
    controller.setSource(&source);
    panel.setSource(&source);
    source.feed(madeUpRun({.num_stages = 1}));
    QTRY_VERIFY(controller.actions().can_discard);
    panel.setConfirmDiscard([] { return false; });
    panel.askDiscard();
    QCOMPARE(host.last, -1);
    panel.setConfirmDiscard([] { return true; });
    panel.askDiscard();
    QCOMPARE(host.last, 3);
  }

  void curvesReadOutTheRawAndSmoothedValue() {
    testing::ShownCurves shown(*theme_);
    auto& [source, panel] = shown;
    source.feed(powersOfTwo());
    QTRY_COMPARE(panel.readOut(21.3), QStringLiteral("Teacher, step 21: loss 32"));
    QCOMPARE(panel.readOut(-50), QStringLiteral("Teacher, step 1: loss 2"));
    // Debiased: after two points with s = 1/2 the mean is (x1 + 2 x2) / 3.
    panel.setSmoothing(0.5);
    QCOMPARE(panel.readOut(2), QStringLiteral("Teacher, step 2: loss 4 (smoothed 3.333)"));
  }

  void aScheduleIsNeverSmoothed() {
    testing::ShownCurves shown(*theme_, 0.9, {QStringLiteral("lr")});
    auto& [source, panel] = shown;
    std::vector<base::EventRecord> records = {{0, 1.7e9, base::RunStarted{.stages = {"teacher"}, .stage_steps = {100}}},
                                              {1, 1.7e9, base::StageStarted{"teacher", 0, 100, 1}}};
    for (int step = 1; step <= 20; ++step) {
      base::StepCompleted event{.stage = "teacher", .step = step};
      event.scalars = {{"lr", 0.001 * step}};
      records.push_back({step + 1, 1.7e9, event});
    }
    source.feed(records);
    QTRY_COMPARE(panel.readOut(20), QStringLiteral("Teacher, step 20: learning rate 0.02"));
  }

  void aStageThatTrainsNothingShowsTheCurvesOfTheOneBefore() {
    testing::ShownCurves shown(*theme_);
    auto& [source, panel] = shown;
    auto records = powersOfTwo();
    records.push_back({200, 1.7e9, base::StageStarted{"report", 0, 1, 0}});
    source.feed(records);
    QTRY_COMPARE(panel.readOut(21.3), QStringLiteral("Teacher, step 21: loss 32"));
  }

  void smoothingLeavesAConstantAlone() {
    testing::ShownCurves shown(*theme_, 0.99, {QStringLiteral("constant")});
    auto& [source, panel] = shown;
    source.feed(powersOfTwo());
    for (const int step : {1, 2, 50, 100}) {
      QTRY_COMPARE(panel.readOut(step), QStringLiteral("Teacher, step %1: constant 3 (smoothed 3)").arg(step));
    }
  }

  void curvesOverTheWholeRunAreOffsetByStage() {
    testing::ShownCurves shown(*theme_);
    auto& [source, panel] = shown;
    auto records = powersOfTwo();
    records.push_back({200, 1.7e9, base::StageStarted{"cmt", 0, 50, 1}});
    base::StepCompleted first{.stage = "cmt", .step = 5};
    first.scalars = {{"loss", 77.0}};
    records.push_back({201, 1.7e9, first});
    source.feed(records);
    panel.setSpan(CurvesPanel::Span::kWholeRun);
    QTRY_COMPARE(panel.readOut(105), QStringLiteral("CMT, step 5: loss 77"));
    QCOMPARE(panel.readOut(21), QStringLiteral("Teacher, step 21: loss 32"));
  }

  void csvHoldsEveryVisiblePoint() {
    QTemporaryDir dir;
    testing::ShownCurves shown(*theme_, 0.6);
    auto& [source, panel] = shown;
    QSignalSpy changed(&source, &RunSource::changed);
    source.feed(powersOfTwo());
    QTRY_VERIFY(!changed.isEmpty());
    QFile file(dir.filePath(QStringLiteral("curves.csv")));
    QVERIFY(panel.saveCsv(file.fileName()));
    QVERIFY(file.open(QIODevice::ReadOnly));
    const auto lines = file.readAll().split('\n');
    QCOMPARE(lines.size(), 102);  // the head, 100 points, the end
    QCOMPARE(lines[0], QByteArray("stage,step,name,value"));
    QCOMPARE(lines[3], QByteArray("teacher,3,loss,8"));
    QVERIFY(panel.savePng(dir.filePath(QStringLiteral("curves.png"))));
    QVERIFY(panel.saveSvg(dir.filePath(QStringLiteral("curves.svg"))));
  }

  void foldedPointsAreReadOutAsARangeAndNotExported() {
    testing::ShownCurves shown(*theme_, 0.6);
    auto& [source, panel] = shown;
    source.setMaxPoints(64);
    QSignalSpy changed(&source, &RunSource::changed);
    source.feed(powersOfTwo());
    QTRY_VERIFY(source.metrics().longestSeries() <= 64);
    QTRY_VERIFY(panel.isUpToDate());
    QVERIFY2(panel.whyNoCsv().contains(QStringLiteral("folded")), qPrintable(panel.whyNoCsv()));
    QVERIFY2(panel.readOut(4).contains(QStringLiteral("loss 2 to 16")), qPrintable(panel.readOut(4)));
    panel.zoomTo(90, 100);
    QCOMPARE(panel.whyNoCsv(), QString());
  }

  void logFiltersByLevelAndText() {
    LogPanel panel(*theme_);
    panel.resize(600, 200);
    panel.show();
    RunSource source(QStringLiteral("/nowhere"));
    panel.setSource(&source);
    std::vector<base::EventRecord> records;
    for (int i = 0; i < 400; ++i) {
      const char* level = i % 100 == 0 ? "error" : i % 10 == 0 ? "warn" : i % 2 == 0 ? "debug" : "info";
      records.push_back({i, 1.7e9, base::LogMessage{level, "line " + std::to_string(i)}});
    }
    source.feed(records);
    auto* view = panel.findChild<QTreeView*>();
    auto* level = panel.findChild<QComboBox*>();
    auto* text = panel.findChild<QLineEdit*>();
    QTRY_COMPARE(view->model()->rowCount(), 240);
    level->setCurrentIndex(0);
    QCOMPARE(view->model()->rowCount(), 4);
    level->setCurrentIndex(1);
    QCOMPARE(view->model()->rowCount(), 40);
    level->setCurrentIndex(3);
    QCOMPARE(view->model()->rowCount(), 400);
    text->setText(QStringLiteral("LINE 39"));
    QCOMPARE(view->model()->rowCount(), 11);  // 39 and 390 to 399
    text->setText(QStringLiteral("no such text"));
    QCOMPARE(view->model()->rowCount(), 0);
    QVERIFY(!view->isVisible());  // the panel says why instead
  }

  void logFollowsTheEndUntilScrolled() {
    LogPanel panel(*theme_);
    panel.resize(600, 200);
    panel.show();
    RunSource source(QStringLiteral("/nowhere"));
    panel.setSource(&source);
    const auto say = [&](int from, int to) {
      std::vector<base::EventRecord> records;
      for (int i = from; i < to; ++i)
        records.push_back({i, 1.7e9, base::LogMessage{"info", "line " + std::to_string(i)}});
      source.feed(records);
    };
    auto* view = panel.findChild<QTreeView*>();
    auto* bar = view->verticalScrollBar();
    say(0, 200);
    QTRY_COMPARE(view->model()->rowCount(), 200);
    QCOMPARE(bar->value(), bar->maximum());
    bar->setValue(10);
    QVERIFY(!panel.isFollowing());
    say(200, 300);
    QTRY_COMPARE(view->model()->rowCount(), 300);
    QCOMPARE(bar->value(), 10);
    bar->setValue(bar->maximum());
    QVERIFY(panel.isFollowing());
  }

  void timelineFollowsTheRunUntilMoved() {
    StepTimeline timeline(*theme_);
    timeline.resize(800, 50);
    timeline.show();
    RunSource source(QStringLiteral("/nowhere"));
    timeline.setSource(&source);
    QSignalSpy moved(&timeline, &StepTimeline::cursorMoved);
    source.feed(powersOfTwo());
    QTRY_COMPARE(moved.size(), 1);
    QCOMPARE(moved.last()[1].toLongLong(), 100);
    QVERIFY(timeline.isLive());
    timeline.setCursor(QStringLiteral("teacher"), 40);
    QVERIFY(!timeline.isLive());
    QCOMPARE(moved.last()[1].toLongLong(), 40);
    source.feed(std::vector<base::EventRecord>{{500, 1.7e9, base::StageStarted{"cmt", 0, 900, 1}}});
    QTest::qWait(60);
    QCOMPARE(timeline.cursor(), (StepCursor{"teacher", 40}));  // stays where it was put
    auto* bar = timeline.findChild<TimelineBar*>();
    bar->setFocus();
    QTest::keyClick(bar, Qt::Key_Right);
    QCOMPARE(moved.last()[1].toLongLong(), 41);
    timeline.setLive(true);
    QCOMPARE(moved.last()[0].toString(), QStringLiteral("cmt"));
  }

 private:
  static void report(LiveRunSource& source, base::RunState state) {
    source.sink()->publish({100000, 1.8e9, base::StateChanged{state}});
  }
  std::unique_ptr<Theme> theme_;
};

STUDIO_TEST(TestPanels)
#include "tst_panels.moc"
