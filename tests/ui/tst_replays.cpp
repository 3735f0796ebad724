// SPDX-License-Identifier: Apache-2.0
//
// A replay of a step of the run on show: from menu and alarm to what the training library is asked, and what is shown
// of its answer.
#include <QDir>
#include <QPushButton>
#include <QSignalSpy>
#include <QToolButton>
#include <cmath>

#include "tests/support/studio_test.h"
#include "tests/ui/run_to_leave.h"
#include "ui/panels/replay_strip.h"

using namespace meanflow;
using namespace meanflow::ui;

class TestReplays : public testing::RunToLeave {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase() { theme_ = std::make_unique<Theme>(*qApp); }
  void init() { makeRun(); }
  void cleanup() { window_.reset(); }

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
};

STUDIO_TEST(TestReplays)
#include "tst_replays.moc"
