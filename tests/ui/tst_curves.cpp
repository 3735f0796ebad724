// SPDX-License-Identifier: Apache-2.0
#include <QApplication>
#include <QFile>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QToolButton>
#include <QToolTip>
#include <QTreeWidget>
#include <cmath>
#include <random>

#include "core/base/metrics/spike_detector.h"
#include "tests/support/studio_test.h"
#include "tests/ui/made_up_figures.h"
#include "tests/ui/made_up_run.h"
#include "tests/ui/shown_curves.h"
#include "ui/models/recorded_run_source.h"
#include "ui/models/run_source.h"
#include "ui/models/step_scale.h"
#include "ui/panels/config_difference_strip.h"
#include "ui/panels/curve_charts.h"
#include "ui/panels/curves_panel.h"
#include "ui/panels/custom_plot.h"
#include "ui/panels/spike_list.h"
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

base::MetricSeries seriesOf(int size, const std::function<double(int)>& value) {
  base::MetricSeries series;
  for (int i = 1; i <= size; ++i) series.append(i, value(i));
  return series;
}

std::vector<base::SpikeDetector::Spike> spikesIn(const base::MetricSeries& series) {
  base::SpikeDetector detector;
  while (!detector.isDone(series)) detector.update(series, 64);
  return detector.spikes();
}

/// The teacher's gradient norm jumps at step 800, its loss at step 810.
std::vector<base::EventRecord> runWithSpikes() {
  std::vector<base::EventRecord> records;
  const auto say = [&](base::TrainingEvent event) {
    records.push_back({static_cast<std::int64_t>(records.size()), 1.7e9 + 0.1 * static_cast<double>(records.size()),
                       std::move(event)});
  };
  say(base::RunStarted{.run_name = "spiky", .device = "cpu", .stages = {"teacher"}, .stage_steps = {1000}});
  say(base::StageStarted{"teacher", 0, 1000, 1});
  std::mt19937 random(9);
  std::normal_distribution<double> noise;
  for (int step = 10; step <= 1000; step += 10) {
    base::StepCompleted event{.stage = "teacher", .step = step};
    event.scalars = {{"loss", step == 810 ? 3.0 : 0.5 + 0.02 * noise(random)},
                     {"grad_norm", step == 800 ? 40.0 : 1 + 0.1 * noise(random)},
                     {"lr", 1e-4}};
    say(event);
  }
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
    const StepScale hours(store, CurveAxis::kDeviceHours);
    QCOMPARE(hours.toX("teacher", 50), 50.0 / 3600);
    QCOMPARE(hours.toX("teacher", 60), 70.0 / 3600);
    QCOMPARE(hours.toStep("teacher", 70.0 / 3600), 60.0);
  }

  void noSpikesInConstantsTrendsAndNoise() {
    QVERIFY(spikesIn(seriesOf(400, [](int) { return 0.7; })).empty());
    QVERIFY(spikesIn(seriesOf(400, [](int) { return 0.0; })).empty());
    QVERIFY(spikesIn(seriesOf(400, [](int i) { return 1 + 1e-9 * (i % 7); })).empty());  // the last digits
    QVERIFY(spikesIn(seriesOf(4000, [](int i) { return 1 + 0.01 * i; })).empty());
    QVERIFY(spikesIn(seriesOf(4000, [](int i) { return std::exp(-i / 300.0); })).empty());
    QVERIFY(spikesIn(seriesOf(400, [](int i) { return i <= 200 ? 2.0 : 1.0; })).empty());  // a fall
    std::mt19937 random(4);
    std::normal_distribution<double> noise;
    QVERIFY(spikesIn(seriesOf(20000, [&](int) { return 5 + noise(random); })).empty());
  }

  void aPlantedSpikeIsFoundWithItsScore() {
    // Before the spike the window holds 0, 1, ..., 4 in turn: the median is 2, distances 0, 1, 1, 2, 2, so MAD is 1.
    const auto series = seriesOf(300, [](int i) { return i == 250 ? 20.0 : i % 5; });
    const auto spikes = spikesIn(series);
    QCOMPARE(spikes.size(), std::size_t{1});
    QCOMPARE(spikes[0].x, 250.0);
    QCOMPARE(spikes[0].value, 20.0);
    QCOMPARE(spikes[0].z, (20.0 - 2.0) / 1.4826);
    // Without noise a deviation counts as a hundredth of the median.
    const auto flat = spikesIn(seriesOf(100, [](int i) { return i == 60 ? 1.2 : 1.0; }));
    QCOMPARE(flat.size(), std::size_t{1});
    QVERIFY(std::abs(flat[0].z - 20) < 1e-9);
    QVERIFY(spikesIn(seriesOf(100, [](int i) { return i == 15 ? 9.0 : 1.0; })).empty());  // too early to say
  }

  void neighbouringPointsAreOneSpikeAndANewLevelIsGotUsedTo() {
    const auto wide =
        spikesIn(seriesOf(300, [](int i) { return i >= 200 && i < 206 ? 10.0 + i % 3 : 1 + 0.1 * (i % 5); }));
    QCOMPARE(wide.size(), std::size_t{1});
    QCOMPARE(wide[0].value, 12.0);
    const auto level = spikesIn(seriesOf(600, [](int i) { return (i >= 300 ? 10 : 1) + 0.1 * (i % 5); }));
    QCOMPARE(level.size(), std::size_t{1});  // one event, not three hundred
    QVERIFY(level[0].x >= 300 && level[0].x <= 350);
  }

  void pointsThatAResumeMadeVoidTakeTheirSpikesAlong() {
    auto series = seriesOf(300, [](int i) { return i == 250 ? 20.0 : i % 5; });
    base::SpikeDetector detector;
    detector.update(series, 1000);
    QCOMPARE(detector.spikes().size(), std::size_t{1});
    series.truncateAfter(240);
    QVERIFY(!detector.isDone(series));
    detector.update(series, 1000);
    QVERIFY(detector.spikes().empty());
    for (int i = 241; i <= 300; ++i) series.append(i, i % 5);
    detector.update(series, 1000);
    QVERIFY(detector.isDone(series));
    QVERIFY(detector.spikes().empty());
  }

  void spikesAreMarkedOnTheirCurvesAndListed() {
    CurvesPanel panel(*theme_);
    panel.resize(700, 480);
    panel.show();
    RunSource source(QStringLiteral("/nowhere"));
    panel.setSource(&source);
    source.feed(runWithSpikes());
    auto* charts = panel.findChild<CurveCharts*>();
    QTRY_COMPARE(charts->spikes().size(), std::size_t{2});
    QCOMPARE(charts->spikes()[0].chart, 1);  // by step: the gradient norm comes first
    QCOMPARE(charts->spikes()[0].x, 800.0);
    QCOMPARE(charts->spikes()[0].y, 40.0);
    QVERIFY2(
        charts->spikes()[0].tip.startsWith(QStringLiteral("Spike: gradient norm 40 at step 800 of Teacher, robust z")),
        qPrintable(charts->spikes()[0].tip));
    QToolButton* button = nullptr;
    for (auto* each : panel.findChildren<QToolButton*>()) {
      if (each->accessibleName() == QStringLiteral("List of spikes, 2 found")) button = each;
    }
    QVERIFY(button);
    QCOMPARE(button->text(), QStringLiteral("Spikes: 2"));
    auto* list = panel.findChild<SpikeList*>();
    QVERIFY(!list->isVisible());
    button->click();
    QVERIFY(list->isVisible());
    QCOMPARE(list->topLevelItemCount(), 2);
    QCOMPARE(list->topLevelItem(0)->text(0), QStringLiteral("800"));  // the highest score first
    QSignalSpy picked(&panel, &CurvesPanel::stepPicked);
    list->setCurrentItem(list->topLevelItem(1));
    QTest::keyClick(list, Qt::Key_Return);
    QCOMPARE(picked.size(), 1);
    QCOMPARE(picked[0][0].toString(), QStringLiteral("teacher"));
    QCOMPARE(picked[0][1].toLongLong(), 810);
    // The mark in the picture itself: pixels of its ink around the place of the spike.
    panel.plot()->replot(QCustomPlot::rpImmediateRefresh);
    const auto* rect = panel.plot()->axisRects().at(1);
    const QPoint at(static_cast<int>(rect->axis(QCPAxis::atBottom)->coordToPixel(800)),
                    static_cast<int>(rect->axis(QCPAxis::atLeft)->coordToPixel(40)));
    const QImage picture = panel.plot()->toPixmap().toImage();
    int inked = 0;
    const QColor ink = theme_->colors().bad;
    for (int y = at.y() - 6; y <= at.y() + 6; ++y) {
      for (int x = at.x() - 6; x <= at.x() + 6; ++x) {
        const QColor pixel = picture.pixelColor(x, y);
        if (std::abs(pixel.red() - ink.red()) + std::abs(pixel.green() - ink.green()) +
                std::abs(pixel.blue() - ink.blue()) <
            60)
          ++inked;
      }
    }
    QVERIFY2(inked >= 8, qPrintable(QString::number(inked)));
  }

  void deviceHoursAreDrawnAgainstTheEstimate() {
    testing::ShownCurves shown(*theme_);
    auto& [source, panel] = shown;
    source.feed(pacedRun("paced", 1));
    panel.setAxis(CurveAxis::kDeviceHours);
    QTRY_COMPARE(panel.readOut(70.0 / 3600), QStringLiteral("Teacher, step 60: loss 60"));
    const auto label = [&] { return panel.plot()->axisRect(0)->axis(QCPAxis::atBottom)->label(); };
    QCOMPARE(label(), QStringLiteral("CPU-hours of the stage"));
    base::CostEstimate none;
    none.missing = "no throughput is known for a CPU";
    panel.setEstimate(none);
    QCOMPARE(label(), QStringLiteral("CPU-hours of the stage · no estimate: no throughput is known for a CPU"));
    base::CostEstimate estimate;
    estimate.stages = {{"teacher", 0.05}, {"cmt", 0.01}};
    estimate.basis = "1 TFLOP/s";
    panel.setEstimate(estimate);
    QCOMPARE(label(), QStringLiteral("CPU-hours of the stage · estimated 0.05, at 1 TFLOP/s"));
    // 150 seconds of 180 have passed at the end: the estimate is in the picture.
    QVERIFY(panel.plot()->axisRect(0)->axis(QCPAxis::atBottom)->range().upper > 0.05);
    QCOMPARE(panel.readOut(0.025), QStringLiteral("Teacher, step 70: loss 70   50 % of the estimate"));
    panel.setSpan(CurvesPanel::Span::kWholeRun);
    QCOMPARE(label(), QStringLiteral("CPU-hours of the whole run · estimated 0.06, at 1 TFLOP/s"));
    estimate.stages = {{"teacher", 5.0}};  // far away: its curve is not squeezed
    panel.setEstimate(estimate);
    QVERIFY(panel.plot()->axisRect(0)->axis(QCPAxis::atBottom)->range().upper < 0.05);
  }

  void labelsOfSmallChartsDoNotOverlap() {
    CurvesPanel panel(*theme_);
    RunSource source(QStringLiteral("/nowhere"));
    panel.setSource(&source);
    source.feed(testing::madeUpRun({.num_stages = 3}));
    panel.show();
    for (const QSize size : {QSize(300, 240), QSize(420, 320), QSize(700, 500), QSize(900, 900)}) {
      panel.resize(size);
      QTest::qWait(120);  // a layout, and the replot it asks for
      for (const auto* rect : panel.plot()->axisRects()) {
        const auto* axis = rect->axis(QCPAxis::atLeft);
        const auto ticks = axis->tickVector();
        const auto num_visible =
            std::count_if(ticks.begin(), ticks.end(), [&](double tick) { return axis->range().contains(tick); });
        if (rect->height() >= 40) QVERIFY2(num_visible >= 1, qPrintable(QString::number(rect->height())));
        const double need = QFontMetricsF(axis->tickLabelFont()).height();
        for (int i = 1; i < ticks.size(); ++i) {
          const double gap = std::abs(axis->coordToPixel(ticks[i]) - axis->coordToPixel(ticks[i - 1]));
          QVERIFY2(gap >= need, qPrintable(QStringLiteral("%1 px between labels %2 px high at %3x%4")
                                               .arg(gap)
                                               .arg(need)
                                               .arg(size.width())
                                               .arg(size.height())));
        }
      }
    }
  }

  void readOutsFollowTheChosenAxis() {
    testing::ShownCurves shown(*theme_);
    auto& [source, panel] = shown;
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
    testing::ShownCurves shown(*theme_);
    auto& [source, panel] = shown;
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

  void namesInTheLegendAreCutInTheirMiddleToTheRoomThereIs() {
    CurveCharts charts(*theme_);
    const std::unique_ptr<QCustomPlot> plot(charts.plot());
    const QString whole = QStringLiteral("gentle, branch of demo at Teacher step 40: teacher.training.lr: 2e-4 → 1e-4");
    charts.build({.scalars = {QStringLiteral("loss")},
                  .lines = {{.name = QStringLiteral("Teacher")}, {.name = whole, .colour = 1, .is_dashed = true}},
                  .x_label = QStringLiteral("step"),
                  .has_legend = true});
    for (int line : {0, 1}) charts.setSamples(0, line, {{0, 1.0 + line, 1, 2}, {100, 2.0 - line, 1, 2}});
    plot->resize(320, 260);
    plot->show();
    charts.replot();
    QTRY_VERIFY(charts.legendTexts()[1] != whole);
    const QString cut = charts.legendTexts()[1];
    QVERIFY2(cut.startsWith(QStringLiteral("gentle,")) && cut.contains(QChar(0x2026)) &&
                 cut.endsWith(QStringLiteral("1e-4")),
             qPrintable(cut));
    QCOMPARE(charts.legendTexts()[0], QStringLiteral("Teacher"));
    const auto* rect = plot->axisRect(0);
    const QRect legend = rect->insetLayout()->elementAt(0)->outerRect();
    QVERIFY2(legend.left() >= rect->left() && legend.right() <= rect->right(),
             qPrintable(QString::number(legend.left())));
    QTest::mouseMove(plot.get(), charts.legendPlace(1).toPoint());
    QTRY_COMPARE(QToolTip::text(), whole);
    QTest::mouseMove(plot.get(), QPoint(rect->left() + 5, rect->bottom() - 40));
    QTRY_VERIFY(QToolTip::text() != whole);
    QVERIFY(testing::picturesInBothLooks(
        *theme_, *plot, QCoreApplication::applicationDirPath() + QStringLiteral("/../screenshots/figures"),
        QStringLiteral("curves_long_name")));
    plot->resize(1200, 260);
    QTRY_COMPARE(charts.legendTexts()[1], whole);
  }

  void aBranchBeginsAtItsForkAndSaysWhoseItIs() {
    QTemporaryDir dir;
    const QString parent = dir.filePath(QStringLiteral("parent")), child = dir.filePath(QStringLiteral("child"));
    testing::writeRunFolder(parent, pacedRun("parent", 1));
    std::vector<base::EventRecord> branch;
    const auto say = [&](base::TrainingEvent event) {
      branch.push_back({static_cast<std::int64_t>(branch.size()), 1.7e9, std::move(event)});
    };
    say(base::RunBranched{.parent = parent.toStdString(), .stage = "teacher", .step = 40, .changes = {"seed: 1 -> 2"}});
    say(base::RunStarted{.run_name = "child", .stages = {"teacher"}, .stage_steps = {100}});
    say(base::StageStarted{"teacher", 40, 100, 1});
    for (int step = 41; step <= 100; ++step) {
      base::StepCompleted event{.stage = "teacher", .step = step};
      event.scalars = {{"loss", 0.5 * step}};
      say(event);
    }
    say(base::StateChanged{base::RunState::kStopped});
    testing::writeRunFolder(child, branch);
    QFile config(child + QStringLiteral("/config.yaml"));
    QVERIFY(config.open(QIODevice::WriteOnly));
    config.write("seed: 2\nteacher:\n  training:\n    lr: 0.5\n");
    config.close();
    testing::ShownCurves shown(*theme_);
    auto& [source, panel] = shown;
    source.feed(pacedRun("parent", 1));
    panel.setOverlays({child});
    auto* charts = panel.findChild<CurveCharts*>();
    QTRY_COMPARE(charts->setup().lines.size(), std::size_t{2});
    QTRY_COMPARE(charts->setup().lines[1].name,
                 QStringLiteral("child, branch of parent at Teacher step 40: seed: 1 → 2"));
    QVERIFY(charts->setup().has_legend);
    const auto fork = [&]() -> const CurveMark* {
      for (const auto& mark : charts->marks())
        if (mark.kind == Milestone::Kind::kBranched) return &mark;
      return nullptr;
    };
    QTRY_VERIFY(fork());
    QCOMPARE(fork()->x, 40.0);
    QVERIFY(fork()->tip.contains(QStringLiteral("seed: 1 → 2")));

    // The run on show was read from nowhere: its settings are not known.
    auto* strip = panel.findChild<ConfigDifferenceStrip*>();
    QTRY_VERIFY(strip->isVisible());
    QVERIFY(strip->headline().startsWith(QStringLiteral("Settings are not compared · ")));
    RecordedRunSource recorded(parent);
    panel.setSource(&recorded);
    QTRY_COMPARE(strip->headline(), QStringLiteral("Settings that differ: 2"));
    QTRY_VERIFY(strip->isVisible());  // once the record is read
    QVERIFY(!strip->table().isVisible());
    strip->button().click();
    QVERIFY(strip->table().isVisible());
    QStringList rows;
    for (int i = 0; i < strip->table().topLevelItemCount(); ++i) {
      const auto* item = strip->table().topLevelItem(i);
      rows << item->text(0) + u' ' + item->text(2);
    }
    QCOMPARE(rows, QStringList({QStringLiteral("seed 2"), QStringLiteral("teacher.training.lr 0.5")}));
    QTRY_VERIFY(fork());
    QVERIFY(testing::picturesInBothLooks(
        *theme_, panel, QCoreApplication::applicationDirPath() + QStringLiteral("/../screenshots/figures"),
        QStringLiteral("curves_branch")));
    panel.setOverlays({});
    QTRY_VERIFY(!strip->isVisible());
    // On show by itself, the branch begins at its fork and names its parent.
    RecordedRunSource alone(child);
    panel.setSource(&alone);
    QTRY_VERIFY(charts->setup().lines.size() == 1 &&
                charts->setup().lines[0].name.contains(QStringLiteral("branch of parent")));
    QTRY_VERIFY(fork() && fork()->x == 40.0);
    QCOMPARE(panel.readOut(0), QStringLiteral("Teacher, step 41: loss 20.5"));
    panel.setSource(nullptr);
  }

 private:
  std::unique_ptr<Theme> theme_;
};

STUDIO_TEST(TestCurves)
#include "tst_curves.moc"
