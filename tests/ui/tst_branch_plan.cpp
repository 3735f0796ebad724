// SPDX-License-Identifier: Apache-2.0
//
// What a branch is made of: the checkpoint it starts from, the settings that are proposed and how they are found.
#include "ui/config/branch_plan.h"

#include <QListWidget>
#include <QSignalSpy>
#include <algorithm>

#include "core/base/config/config_io.h"
#include "tests/support/studio_test.h"
#include "tests/ui/run_to_leave.h"
#include "ui/config/setting_search.h"

using namespace meanflow;
using namespace meanflow::ui;

class TestBranchPlan : public testing::RunToLeave {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase() { theme_ = std::make_unique<Theme>(*qApp); }
  void init() { makeRun(); }
  void cleanup() { window_.reset(); }

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
};

STUDIO_TEST(TestBranchPlan)
#include "tst_branch_plan.moc"
