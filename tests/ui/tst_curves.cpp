// SPDX-License-Identifier: Apache-2.0
#include <QApplication>
#include <QElapsedTimer>
#include <QFile>
#include <QTemporaryDir>
#include <QToolButton>
#include <QTreeWidget>
#include <cmath>

#include "tests/support/studio_test.h"
#include "tests/ui/made_up_run.h"
#include "ui/models/run_source.h"
#include "ui/models/step_scale.h"
#include "ui/panels/curves_panel.h"
#include "ui/theme/theme.h"

using namespace meanflow;
using namespace meanflow::ui;

namespace {

/// A stage of 100 steps of 64 images; each takes a second, those beyond step 50 two.
std::vector<base::EventRecord> pacedRun(const char* name, double factor) {
  std::vector<base::EventRecord> records;
  double now = 1.7e9;
  const auto say = [&](base::TrainingEvent event) {
    records.push_back({static_cast<std::int64_t>(records.size()), now, std::move(event)});
  };
  say(base::RunStarted{.run_name = name, .stages = {"teacher", "cmt"}, .stage_steps = {100, 50}});
  say(base::StageStarted{"teacher", 0, 100, 1});
  for (int step = 1; step <= 100; ++step) {
    now += step <= 50 ? 1 : 2;
    base::StepCompleted event{.stage = "teacher", .step = step, .images_seen = 64 * step};
    event.scalars = {{"loss", factor * step}};
    say(event);
    if (step == 30) say(base::SettingChanged{"teacher", 30, "teacher.training.lr", "1", "2"});
  }
  say(base::StateChanged{base::RunState::kStopped});
  return records;
}

}  // namespace

class TestCurves : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase() { theme_ = std::make_unique<Theme>(*qApp); }

  void scalesGoBothWays() {
    base::MetricsStore store;
    for (const auto& record : pacedRun("paced", 1)) store.apply(record);
    const StepScale images(store, CurveAxis::kImages);
    QCOMPARE(images.toX("teacher", 10), 640.0);
    QCOMPARE(images.toStep("teacher", 640), 10.0);
    const StepScale epochs(store, CurveAxis::kEpochs, 640);
    QCOMPARE(epochs.toX("teacher", 20), 2.0);
    QCOMPARE(epochs.toStep("teacher", 2), 20.0);
    const StepScale time(store, CurveAxis::kWallTime);
    QCOMPARE(time.toX("teacher", 50), 50.0);
    QCOMPARE(time.toX("teacher", 60), 70.0);
    QCOMPARE(time.toStep("teacher", 70), 60.0);
    const StepScale steps(store, CurveAxis::kStep);
    QCOMPARE(steps.toX("teacher", 17), 17.0);
  }

  void readOutsFollowTheChosenAxis() {
    CurvesPanel panel(*theme_);
    panel.resize(700, 400);
    panel.show();
    RunSource source(QStringLiteral("/nowhere"));
    panel.setSource(&source);
    panel.setSmoothing(0);
    panel.setShownScalars({QStringLiteral("loss")});
    source.feed(pacedRun("paced", 1));
    QTRY_COMPARE(panel.readOut(60), QStringLiteral("Teacher, step 60: loss 60"));
    panel.setAxis(CurveAxis::kImages);
    QCOMPARE(panel.readOut(640), QStringLiteral("Teacher, step 10: loss 10"));
    panel.setAxis(CurveAxis::kWallTime);
    QCOMPARE(panel.readOut(70), QStringLiteral("Teacher, step 60: loss 60"));
    panel.setAxis(CurveAxis::kEpochs);  // nobody knows how long one is
    QCOMPARE(panel.axis(), CurveAxis::kWallTime);
    panel.setImagesAnEpoch(640);
    panel.setAxis(CurveAxis::kEpochs);
    QCOMPARE(panel.readOut(3), QStringLiteral("Teacher, step 30: loss 30"));
    panel.setSpan(CurvesPanel::Span::kWholeRun);
    QCOMPARE(panel.readOut(3), QStringLiteral("Teacher, step 30: loss 30"));
    panel.setLogX(true);
    panel.setLogY(true);
    QTest::qWait(30);
    QCOMPARE(panel.readOut(3), QStringLiteral("Teacher, step 30: loss 30"));
  }

  void otherRunsAreLaidOverAndTabled() {
    QTemporaryDir dir;
    const QString other = dir.filePath(QStringLiteral("other"));
    testing::writeRunFolder(other, pacedRun("other", 10));
    CurvesPanel panel(*theme_);
    panel.resize(700, 420);
    panel.show();
    RunSource source(QStringLiteral("/nowhere"));
    panel.setSource(&source);
    panel.setSmoothing(0);
    panel.setShownScalars({QStringLiteral("loss")});
    source.feed(pacedRun("paced", 1));
    QTRY_VERIFY(!panel.readOut(5).isEmpty());
    panel.setOverlays({other, dir.filePath(QStringLiteral("nothing"))});
    for (auto* button : panel.findChildren<QToolButton*>()) {
      if (button->accessibleName() == QStringLiteral("Table of values")) button->click();
    }
    auto* table = panel.findChild<QTreeWidget*>();
    QTRY_COMPARE(table->topLevelItemCount(), 2);
    panel.showStep(QStringLiteral("teacher"), 20, false);
    QTRY_COMPARE(table->topLevelItem(1)->text(2), QStringLiteral("200"));
    QCOMPARE(table->topLevelItem(0)->text(2), QStringLiteral("20"));
    QCOMPARE(table->topLevelItem(1)->text(0), QStringLiteral("other, Teacher"));
    const QString path = dir.filePath(QStringLiteral("both.csv"));
    QVERIFY(panel.saveCsv(path));
    QFile file(path);
    QVERIFY(file.open(QIODevice::ReadOnly));
    const auto lines = file.readAll().split('\n');
    QCOMPARE(lines[0], QByteArray("run,stage,step,name,value"));
    QCOMPARE(lines.size(), 202);
    QCOMPARE(lines[101], QByteArray("other,teacher,1,loss,10"));
    panel.setOverlays({});
    QTRY_COMPARE(table->topLevelItemCount(), 1);
  }

 private:
  std::unique_ptr<Theme> theme_;
};

STUDIO_TEST(TestCurves)
#include "tst_curves.moc"
