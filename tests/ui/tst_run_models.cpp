// SPDX-License-Identifier: Apache-2.0
#include <QDateTime>
#include <QDir>
#include <QElapsedTimer>
#include <QFile>
#include <QSignalSpy>
#include <QTemporaryDir>

#include "core/base/events/event_log.h"
#include "core/base/run/run_folder.h"
#include "tests/support/studio_test.h"
#include "tests/ui/made_up_run.h"
#include "ui/models/live_run_source.h"
#include "ui/models/recorded_run_source.h"
#include "ui/models/run_controller.h"

using namespace meanflow;
using namespace meanflow::ui;
using base::RunState;
using testing::madeUpRun;

namespace {

/// A host that notes what it is told and does nothing.
class NotingHost final : public base::TrainingHost {
 public:
  base::Result<void> start(const base::RunRequest&, std::shared_ptr<base::EventSink> sink) override {
    return sink_ = std::move(sink), base::Result<void>();
  }
  void send(const base::Command& command) override { commands.push_back(command.index()); }
  RunState state() const override { return RunState::kRunning; }
  void requestSamples(const base::SampleRequest&, std::function<void(const base::SampleResult&)>) override {}
  std::vector<std::size_t> commands;

 private:
  std::shared_ptr<base::EventSink> sink_;
};

base::EventRecord step(std::int64_t sequence, std::int64_t at, double loss = 1) {
  base::StepCompleted event{.stage = "teacher", .step = at, .images_seen = at * 64};
  event.scalars = {{"loss", loss}};
  return {sequence, 1.7e9 + static_cast<double>(sequence), event};
}

}  // namespace

class TestRunModels : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void summaryFollowsTheEvents() {
    RunSource source(QStringLiteral("/nowhere"));
    source.feed(madeUpRun({.num_stages = 3, .share_of_last = 0.5}));
    const auto& run = source.summary();
    QCOMPARE(run.stages.size(), std::size_t{5});
    QCOMPARE(run.stages[0].state, StageState::kDone);
    QCOMPARE(run.stages[2].state, StageState::kRunning);
    QCOMPARE(run.stages[2].step, std::int64_t{800});
    QCOMPARE(run.stages[3].state, StageState::kWaiting);
    QCOMPARE(run.head()->stage, std::string("teacher"));
    QCOMPARE(run.unsavedSteps(), std::int64_t{0});  // a checkpoint every 200 steps
    source.feed(std::vector{step(100000, 830)});
    QCOMPARE(source.summary().unsavedSteps(), std::int64_t{30});
  }

  void aStageAddedLaterStandsWhereTheRunHasIt() {
    RunSummary run;
    std::int64_t sequence = 0;
    const auto say = [&](base::TrainingEvent event) { run.apply({sequence++, 1.7e9, std::move(event)}); };
    say(base::RunStarted{.stages = {"cmt", "mean_flow", "report"}});
    say(base::StageStarted{"mean_flow", 0, 10, 1});
    say(base::RunStarted{.is_resumed = true, .stages = {"cmt", "mean_flow", "control", "report"}});
    QCOMPARE(run.stages.size(), std::size_t{4});
    QCOMPARE(run.stages[2].name, std::string("control"));
    QCOMPARE(run.stages[3].name, std::string("report"));
    QCOMPARE(run.head()->stage, std::string("mean_flow"));
  }

  void resumingVoidsWhatLiesBeyond() {
    RunSource source(QStringLiteral("/nowhere"));
    source.feed(madeUpRun({.num_stages = 3, .share_of_last = 0.5}));
    const auto num_samples = source.samples().size();
    QCOMPARE(num_samples, std::size_t{16});
    source.feed(std::vector<base::EventRecord>{{90000, 1.77e9, base::StageStarted{"teacher", 400, 1600, 1}}});
    QCOMPARE(source.samples().size(), std::size_t{8});
    QCOMPARE(source.numRecalls(), 1);
    for (const auto& mark : source.summary().milestones) QVERIFY(mark.stage != "teacher" || mark.step <= 400);
  }

  void theLogSaysOfAStageThatTrainsNothingThatItStartsAndEnds() {
    LogStore log;
    const auto said = [&](const base::TrainingEvent& event) {
      log.apply({0, 1.7e9, event});
      return log.lines().empty() ? std::string() : log.lines().back().text;
    };
    QCOMPARE(said(base::StageStarted{"report", 0, 1, 0}), std::string("Report starts"));
    QCOMPARE(said(base::StageFinished{"report", 1, 12}), std::string("Report finished in 12 s"));
    QCOMPARE(said(base::StageStarted{"teacher", 0, 1, 1'400'000}),
             std::string("Teacher starts at step 0 of 1, 1.4 M parameters"));
    QCOMPARE(said(base::StageFinished{"teacher", 1, 12}), std::string("Teacher finished: 1 step in 12 s"));
    QCOMPARE(said(base::StageFinished{"cmt", 900, 60}), std::string("CMT finished: 900 steps in 1 min 00 s"));
  }

  void axisLaysStagesEndToEnd() {
    StepAxis axis;
    axis.setStages({{.name = "encoder", .total_steps = 500}, {.name = "teacher", .total_steps = 1600}});
    QCOMPARE(axis.end(), std::int64_t{2100});
    QCOMPARE(axis.position("teacher", 100), std::int64_t{600});
    QCOMPARE(axis.at(600).stage, std::string("teacher"));
    QCOMPARE(axis.at(600).step, std::int64_t{100});
    QCOMPARE(axis.at(500).stage, std::string("encoder"));
    QCOMPARE(axis.at(99999).step, std::int64_t{1600});
  }

  void actionsDeriveFromTheReportedState_data() {
    QTest::addColumn<int>("state");
    QTest::addColumn<int>("access");
    QTest::addColumn<QString>("expected");  // letters of what is possible: Start Pause Resume saVe sTop Discard
    const auto row = [](const char* name, RunState state, RunAccess access, const char* expected) {
      QTest::newRow(name) << static_cast<int>(state) << static_cast<int>(access) << QString::fromLatin1(expected);
    };
    row("live starting", RunState::kStarting, RunAccess::kLive, "PTD");
    row("live running", RunState::kRunning, RunAccess::kLive, "PVTD");
    row("live pausing", RunState::kPausing, RunAccess::kLive, "TD");
    row("live paused", RunState::kPaused, RunAccess::kLive, "RVTD");
    row("live stopping", RunState::kStopping, RunAccess::kLive, "D");
    row("live stopped", RunState::kStopped, RunAccess::kLive, "S");
    row("live failed", RunState::kFailed, RunAccess::kLive, "S");
    row("live finished", RunState::kFinished, RunAccess::kLive, "");
    row("elsewhere running", RunState::kRunning, RunAccess::kElsewhere, "PVTD");
    row("elsewhere paused", RunState::kPaused, RunAccess::kElsewhere, "RVTD");
    row("record cut off while running", RunState::kRunning, RunAccess::kNone, "S");
    row("record stopped", RunState::kStopped, RunAccess::kNone, "S");
    row("record finished", RunState::kFinished, RunAccess::kNone, "");
  }
  void actionsDeriveFromTheReportedState() {
    QFETCH(int, state);
    QFETCH(int, access);
    QFETCH(QString, expected);
    const auto can = actionsFor(static_cast<RunState>(state), static_cast<RunAccess>(access), true, true);
    QString letters;
    if (can.can_start) letters += u'S';
    if (can.can_pause) letters += u'P';
    if (can.can_resume) letters += u'R';
    if (can.can_save) letters += u'V';
    if (can.can_stop) letters += u'T';
    if (can.can_discard) letters += u'D';
    QCOMPARE(letters, expected);
    QVERIFY(!actionsFor(static_cast<RunState>(state), static_cast<RunAccess>(access), true, false).can_start);
  }

  void clickingDoesNotChangeTheButtonsUntilTheRunReports() {
    NotingHost host;
    RunController controller;
    LiveRunSource source(QStringLiteral("/nowhere"));
    source.feed(madeUpRun({.num_stages = 1}));
    controller.setHost(&host);
    controller.setSource(&source);
    QVERIFY(controller.actions().can_pause);
    controller.pause();
    QCOMPARE(host.commands, (std::vector<std::size_t>{0}));
    QVERIFY(controller.actions().can_pause);
    source.sink()->publish({9000, 1.8e9, base::StateChanged{RunState::kPaused}});
    QTRY_VERIFY(controller.actions().can_resume);
    QVERIFY(!controller.actions().can_pause);
  }

  void signalsComeOncePerFrameAndStore() {
    LiveRunSource source(QStringLiteral("/nowhere"));
    QSignalSpy changed(&source, &RunSource::changed);
    for (int i = 0; i < 1000; ++i) source.sink()->publish(step(i, i + 1));
    QTRY_VERIFY(!changed.isEmpty());
    QVERIFY2(changed.size() <= kNumStoreKinds, qPrintable(QString::number(changed.size())));
    QCOMPARE(source.metrics().series("teacher", "loss")->size(), std::size_t{1000});
  }

  void floodKeepsEveryScalarAndAFewPictures() {
    constexpr int kEvents = 200'000;
    LiveRunSource source(QStringLiteral("/nowhere"));
    const auto grid = testing::madeUpGrid(2, 2, 1);
    const std::weak_ptr<const base::Image8> alive = grid;
    long num_grids_at_once = 0;
    std::vector<std::weak_ptr<const base::Image8>> grids;
    for (int i = 0; i < kEvents; ++i) {
      if (i % 100 == 0) {
        base::SamplesReady samples{.stage = "teacher",
                                   .step = i,
                                   .path = "teacher/samples/" + std::to_string(i) + ".png",
                                   .what = "one_step",
                                   .rows = 2,
                                   .columns = 2};
        samples.grid = std::make_shared<base::Image8>(64, 64);
        grids.push_back(samples.grid);
        source.sink()->publish({i, 1.7e9, samples});
      } else if (i % 3 == 0) {
        source.sink()->publish({i, 1.7e9, base::LogMessage{"info", "line " + std::to_string(i)}});
      } else {
        source.sink()->publish(step(i, i + 1));
      }
      if (i % 5000 == 0) QTest::qWait(1);
    }
    QTRY_COMPARE(source.metrics().series("teacher", "loss")->x(source.metrics().series("teacher", "loss")->size() - 1),
                 double(kEvents));
    QVERIFY(source.log().lines().size() <= LogStore::kMaxLines);
    for (const auto& held : grids) num_grids_at_once += held.expired() ? 0 : 1;
    QVERIFY2(num_grids_at_once <= long(RunSource::kMaxPicturesInMemory) + 2,
             qPrintable(QString::number(num_grids_at_once)));
  }

  void pointsOfALiveRunAreBoundedAndTheirExtremesKept() {
    constexpr std::size_t kMost = 2000;
    constexpr std::int64_t kSteps = 20'000, kPeak = 12'345;
    LiveRunSource source(QStringLiteral("/nowhere"));
    source.setMaxPoints(kMost);
    for (std::int64_t i = 1; i <= kSteps; ++i) {
      auto record = step(i, i);
      if (i == kPeak) std::get<base::StepCompleted>(record.event).scalars.front().value = 1e6;
      source.sink()->publish(std::move(record));
      if (i % 5000 != 0) continue;
      QTRY_COMPARE(source.metrics().stage("teacher") ? source.metrics().stage("teacher")->step : 0, i);
      QTRY_VERIFY(source.metrics().longestSeries() <= kMost);
    }
    const auto* loss = source.metrics().series("teacher", "loss");
    QVERIFY(loss->numSegments() > 0);
    QVERIFY(!loss->isCondensed());
    const auto buckets = loss->view(0, kSteps, 20);
    QCOMPARE(std::count_if(buckets.begin(), buckets.end(), [](const auto& bucket) { return bucket.y_max == 1e6; }), 1);
    QCOMPARE(loss->x(loss->size() - 1), double(kSteps));

    // A run that goes on from a long record keeps that record's points and has room for as many again.
    LiveRunSource longer(QStringLiteral("/nowhere"));
    longer.setMaxPoints(100);
    const auto held = loss->size();
    longer.continueFrom(source);
    longer.feed(std::vector{step(kSteps + 1, kSteps + 1)});
    QTest::qWait(100);
    QCOMPARE(longer.metrics().series("teacher", "loss")->size(), held + 1);
  }

  void stepsAloneAreShownAFewTimesASecond() {
    RunSource source(QStringLiteral("/nowhere"));
    source.feed(madeUpRun({.num_stages = 3, .share_of_last = 0.5}));
    QTest::qWait(2 * RunSource::kStepsMs);
    QSignalSpy changed(&source, &RunSource::changed);
    const auto count = [&](StoreKind kind) {
      return std::count_if(changed.begin(), changed.end(),
                           [&](const auto& call) { return call.front().template value<StoreKind>() == kind; });
    };
    QElapsedTimer clock;
    clock.start();
    std::int64_t at = 900;
    while (clock.elapsed() < 4 * RunSource::kStepsMs) {
      source.feed(std::vector{step(200000 + at, at)});
      ++at;
      QTest::qWait(5);
    }
    const auto redraws = count(StoreKind::kMetrics);
    QVERIFY2(redraws >= 2 && redraws <= clock.elapsed() / RunSource::kStepsMs + 1,
             qPrintable(QString::number(redraws)));
    // The last step is shown in the end, and a change of state at once.
    QTRY_COMPARE(source.metrics().series("teacher", "loss")->x(source.metrics().series("teacher", "loss")->size() - 1),
                 static_cast<double>(at - 1));
    changed.clear();
    source.feed(std::vector{base::EventRecord{500000, 1.8e9, base::StateChanged{RunState::kPaused}}});
    QTRY_VERIFY(count(StoreKind::kSummary) > 0);
    // Nobody there: fewer still, and all at once when somebody comes back.
    source.setWatched(false);
    changed.clear();
    source.feed(std::vector{step(600000, at)});
    QTest::qWait(2 * RunSource::kFrameMs);
    QCOMPARE(count(StoreKind::kMetrics), 0);
    source.feed(std::vector{
        base::EventRecord{600001, 1.8e9, base::BlockFiguresReady{"teacher", at, {"blocks.0"}, {{"grad_norm", {1}}}}}});
    QTest::qWait(2 * RunSource::kFrameMs);
    QCOMPARE(count(StoreKind::kBlocks), 0);
    source.setWatched(true);
    QTRY_VERIFY(count(StoreKind::kBlocks) > 0);
    QTRY_VERIFY(count(StoreKind::kMetrics) > 0);
  }

  void recordedSourceFollowsAGrowingFile() {
    QTemporaryDir dir;
    const QString folder = dir.filePath(QStringLiteral("run"));
    auto all = madeUpRun({.num_stages = 2});
    const std::vector<base::EventRecord> first(all.begin(), all.begin() + 30), rest(all.begin() + 30, all.end());
    testing::writeRunFolder(folder, first);
    RecordedRunSource source(folder);
    QVERIFY(source.isLoading());
    QTRY_VERIFY(!source.isLoading());
    QCOMPARE(source.summary().current_stage, 0);
    testing::writeRunFolder(folder, rest);
    QTRY_COMPARE(source.summary().current_stage, 1);
    QCOMPARE(source.trouble(), QString());
  }

  void recordedSourceSurvivesTheFolderBeingPulledAway() {
    QTemporaryDir dir;
    const QString folder = dir.filePath(QStringLiteral("run"));
    const QString elsewhere = dir.filePath(QStringLiteral("moved"));
    testing::writeRunFolder(folder, madeUpRun({.num_stages = 1}));
    RecordedRunSource source(folder);
    QTRY_VERIFY(!source.isLoading());
    const auto step_before = source.summary().stages[0].step;
    QSignalSpy troubled(&source, &RunSource::troubleChanged);
    QVERIFY(QDir().rename(folder, elsewhere));
    QTRY_VERIFY(!source.trouble().isEmpty());
    QCOMPARE(source.summary().stages[0].step, step_before);
    QVERIFY(QDir().rename(elsewhere, folder));
    QTRY_VERIFY(source.trouble().isEmpty());
    const auto points_before = source.metrics().series("encoder", "loss")->size();
    QTest::qWait(300);
    QCOMPARE(source.metrics().series("encoder", "loss")->size(), points_before);  // nothing is folded twice
  }

  void whatIsNoRunFolderIsSaidInOneSentence() {
    QTemporaryDir dir;
    const auto missing = RecordedRunSource::check(dir.filePath(QStringLiteral("nothing")));
    QVERIFY(!missing.ok());
    QVERIFY(QString::fromStdString(missing.error().message).startsWith(QStringLiteral("There is no folder")));
    const auto plain = RecordedRunSource::check(dir.path());
    QVERIFY(!plain.ok());
    QVERIFY(QString::fromStdString(plain.error().message).contains(QStringLiteral("is not a run folder")));
  }

  void commandsToARunElsewhereGoThroughItsInbox() {
    QTemporaryDir dir;
    const QString folder = dir.filePath(QStringLiteral("run"));
    auto events = madeUpRun({.num_stages = 1});
    for (auto& event : events) event.unix_seconds = static_cast<double>(QDateTime::currentMSecsSinceEpoch()) / 1000;
    testing::writeRunFolder(folder, events);
    QVERIFY(QDir(folder).mkdir(QStringLiteral("inbox")));
    RecordedRunSource source(folder);
    RunController controller;
    controller.setSource(&source);
    QTRY_COMPARE(controller.access(), RunAccess::kElsewhere);
    controller.pause();
    QCOMPARE(QDir(folder + QStringLiteral("/inbox")).entryList(QDir::Files).size(), 1);
  }
};

STUDIO_TEST(TestRunModels)
#include "tst_run_models.moc"
