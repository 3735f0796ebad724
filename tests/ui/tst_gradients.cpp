// SPDX-License-Identifier: Apache-2.0
#include <QApplication>
#include <QComboBox>
#include <QLabel>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <cmath>

#include "tests/support/studio_test.h"
#include "tests/ui/made_up_figures.h"
#include "tests/ui/made_up_run.h"
#include "ui/models/block_history.h"
#include "ui/models/clip_rate.h"
#include "ui/models/recorded_run_source.h"
#include "ui/panels/block_charts.h"
#include "ui/panels/block_map.h"
#include "ui/panels/gradients_panel.h"
#include "ui/panels/spike_list.h"
#include "ui/theme/theme.h"

using namespace meanflow;
using namespace meanflow::ui;

namespace {

base::BlockFiguresReady figuresAt(std::int64_t step, std::vector<float> values) {
  base::BlockFiguresReady event{.stage = "cmt", .step = step, .figures = {{"grad_norm", std::move(values)}}};
  for (std::size_t i = 0; i < event.figures[0].values.size(); ++i) event.blocks.push_back("b" + std::to_string(i));
  return event;
}

std::size_t bytesOf(const BlockFigures& figures) {
  std::size_t bytes = 0;
  for (const auto& column : figures.columns())
    for (const auto& row : column.cells) bytes += row.capacity() * sizeof(BlockCell);
  return bytes;
}

QString emptyText(const QWidget& panel) {
  QStringList texts;
  for (const auto* label : panel.findChildren<QLabel*>())
    if (label->isVisibleTo(&panel)) texts << label->text();
  return texts.join(QLatin1Char('\n'));
}

}  // namespace

class TestGradients : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase() { theme_ = std::make_unique<Theme>(*qApp); }

  void valuesBesideTheColourBarAreShort() {
    for (const auto& [value, text] : std::vector<std::pair<double, const char*>>{{0.314, "0.31"},
                                                                                 {1, "1"},
                                                                                 {3.5, "3.5"},
                                                                                 {100, "100"},
                                                                                 {254.6, "250"},
                                                                                 {1000, "1000"},
                                                                                 {0.001, "0.001"},
                                                                                 {0.00996, "0.01"},
                                                                                 {1e-5, "10⁻⁵"},
                                                                                 {1e12, "10¹²"},
                                                                                 {3.14e-5, "3.1e-5"},
                                                                                 {9.99e-5, "10⁻⁴"}})
      QCOMPARE(scaleLabel(value), QString::fromUtf8(text));
  }

  void aLongRunIsCoarsenedWithoutLosingAnExtreme() {
    BlockFigures figures;
    constexpr int kReports = 100'000;
    for (int i = 1; i <= kReports; ++i) {
      const float odd = i == 54'321 ? 1e6F : i == 77'777 ? std::nanf("") : 1.0F;
      figures.add(figuresAt(10 * i, {odd, 2}));
    }
    QVERIFY(figures.columns().size() <= BlockFigures::kMaxColumns);
    QVERIFY(figures.columns().size() >= BlockFigures::kMaxColumns / 4);
    QVERIFY(bytesOf(figures) < 200'000);
    QCOMPARE(figures.reportsAColumn(), 128);
    double highest = 0;
    int num_reports = 0, num_not_finite = 0, num_finite = 0;
    std::int64_t before = 0;
    for (std::size_t c = 0; c < figures.columns().size(); ++c) {
      const auto& column = figures.columns()[c];
      QVERIFY(column.first_step > before && column.last_step >= column.first_step);
      before = column.last_step;
      num_reports += column.num_reports;
      const auto& cell = figures.cell(c, 0, 0);
      highest = std::max(highest, cell.high);
      num_not_finite += cell.num_not_finite;
      num_finite += cell.num_finite;
      if (cell.high == 1e6) QVERIFY(column.first_step <= 543'210 && column.last_step >= 543'210);
      QCOMPARE(figures.cell(c, 0, 1).mean(), 2.0);
    }
    QCOMPARE(num_reports, kReports);
    QCOMPARE(highest, 1e6);
    QCOMPARE(num_not_finite, 1);
    QCOMPARE(num_finite, kReports - 1);
    QCOMPARE(before, std::int64_t{10 * kReports});
  }

  void stepsThatAResumeMadeVoidAreTakenBack() {
    BlockHistory history;
    for (int i = 1; i <= 10; ++i) QVERIFY(history.apply(figuresAt(10 * i, {static_cast<float>(i)})));
    QVERIFY(!history.apply(base::StageStarted{"teacher", 0, 100, 1}));
    QVERIFY(history.apply(base::StageStarted{"cmt", 60, 100, 1}));
    const auto* figures = history.stage("cmt");
    QCOMPARE(figures->columns().size(), std::size_t{6});
    history.apply(figuresAt(70, {70}));
    QCOMPARE(figures->cell(6, 0, 0).high, 70.0);
    QVERIFY(history.apply(base::StageStarted{"cmt", 0, 100, 1}));
    QVERIFY(history.stage("cmt") == nullptr);
  }

  void blocksThatAppearLaterGetRowsOfTheirOwn() {
    BlockFigures figures;
    figures.add({.stage = "cmt", .step = 1, .blocks = {"a"}, .figures = {{"grad_norm", {1}}}});
    figures.add({.stage = "cmt", .step = 2, .blocks = {"b", "a"}, .figures = {{"grad_norm", {5, 3}}, {"new", {7}}}});
    QCOMPARE(figures.blocks(), (std::vector<std::string>{"a", "b"}));
    QVERIFY(figures.cell(0, 0, 1).isEmpty());
    QCOMPARE(figures.cell(1, 0, 0).high, 3.0);
    QCOMPARE(figures.cell(1, 0, 1).high, 5.0);
    QCOMPARE(figures.cell(1, 1, 1).high, 7.0);
    QVERIFY(figures.cell(1, 1, 0).isEmpty() && figures.cell(9, 9, 9).isEmpty());
    QCOMPARE(figures.columnAt(1), std::size_t{0});
    QCOMPARE(figures.columnAt(99), std::size_t{1});
  }

  void histogramCountsEveryReportOnce() {
    BlockFigures figures;
    const float values[] = {1, 1, 10, 100, 100, 100, 0, std::nanf("")};
    for (int i = 0; i < 8; ++i) figures.add(figuresAt(i + 1, {values[i]}));
    const auto histogram = blockHistogram(figures, 0, 0, 2);
    QCOMPARE(histogram.edges.size(), std::size_t{3});
    QVERIFY(std::abs(histogram.edges[1] - 10) < 1e-9);
    QCOMPARE(histogram.counts[0] + histogram.counts[1], 6);
    QVERIFY(histogram.counts[0] >= 2 && histogram.counts[1] >= 3);
    QCOMPARE(histogram.num_zero, 1);
    QCOMPARE(histogram.num_not_finite, 1);
    QVERIFY(blockHistogram(figures, 3, 0, 2).edges.empty());
  }

  void clipRateIsWeightedByTheStepsOfEachReport() {
    base::MetricsStore store;
    const auto say = [&](std::int64_t step, double share) {
      base::StepCompleted event{.stage = "cmt", .step = step, .is_clipped = share > 0};
      event.scalars = {{"loss", 1}, {"clipped_share", share}};
      store.apply({0, 1.0, event});
    };
    ClipRate rate(store);
    QVERIFY(!rate.isReported("cmt"));
    say(10, 1), say(40, 0.5);
    QVERIFY(rate.update("cmt"));
    QCOMPARE(rate.overall("cmt"), (10 + 15) / 40.0);
    say(100, 0);
    QVERIFY(rate.update("cmt"));
    QCOMPARE(rate.overall("cmt"), 25 / 100.0);
    const auto points = rate.points("cmt", 0, 100, 10);
    QCOMPARE(points.size(), std::size_t{3});
    QCOMPARE(points[0].y_last, 1.0);
    QVERIFY(points[2].y_last < points[1].y_last);
    store.apply({0, 1.0, base::StageStarted{"cmt", 40, 100, 1}});  // what lay beyond is void
    QVERIFY(rate.update("cmt"));
    QCOMPARE(rate.overall("cmt"), 25 / 40.0);
    // A run that has only the flag of its reports.
    base::MetricsStore older;
    ClipRate of_older(older);
    for (int i = 1; i <= 4; ++i)
      older.apply({0, 1.0, base::StepCompleted{.stage = "cmt", .step = i, .is_clipped = i == 1}});
    QVERIFY(!of_older.update("cmt", 3));  // in parts, with the same result
    QVERIFY(of_older.update("cmt", 3));
    QCOMPARE(of_older.overall("cmt"), 0.25);
  }

  void colourRisesWithTheValueAndBrokenCellsStandOut() {
    BlockFigures figures;
    for (int i = 1; i <= 6; ++i)
      figures.add(figuresAt(10 * i, {static_cast<float>(std::pow(10, i - 4)), i == 3 ? std::nanf("") : 0.01F}));
    BlockMap map(*theme_);
    map.resize(600, 240);
    map.present(&figures, 0, QStringLiteral("Gradient norm"));
    QVERIFY(std::abs(map.scaleLow() - 1e-3) < 1e-8);
    QCOMPARE(map.scaleHigh(), 100.0);
    QCOMPARE(map.numNotFinite(), 1);
    map.setBlock(1);
    const QImage picture = map.grab().toImage();
    const double ratio = picture.devicePixelRatio();
    const auto colourAt = [&](double step, std::size_t block) {
      // A little below the middle, where no line runs.
      const QPointF place(map.xOf(static_cast<std::int64_t>(step)), map.rowRect(block).center().y() + 7);
      return picture.pixelColor((place * ratio).toPoint());
    };
    double last = -1;
    for (int i = 1; i <= 6; ++i) {
      const auto colour = colourAt(10 * i - 5, 0);
      const double light = 0.2126 * colour.redF() + 0.7152 * colour.greenF() + 0.0722 * colour.blueF();
      QVERIFY2(light > last, qPrintable(colour.name()));
      last = light;
    }
    // The hatched cell has the colour of what is bad, and nothing else of the map has.
    const auto bad = theme_->colors().bad.rgb();
    int inside = 0, outside = 0;
    const QRectF broken(map.xOf(20), map.rowRect(1).top(), map.xOf(30) - map.xOf(20), map.rowRect(1).height());
    for (int y = map.mapRect().top(); y <= map.mapRect().bottom(); ++y) {
      for (int x = map.mapRect().left(); x <= map.mapRect().right(); ++x) {
        if (picture.pixel((QPointF(x, y) * ratio).toPoint()) != bad) continue;
        ++(broken.adjusted(-1, -1, 1, 1).contains(x, y) ? inside : outside);
      }
    }
    QVERIFY2(inside > 0.4 * broken.width() * broken.height(), qPrintable(QString::number(inside)));
    QCOMPARE(outside, 0);
    QVERIFY(map.readOut(broken.center().toPoint()).endsWith(QStringLiteral("not finite")));
  }

  void oneBrokenReportOfManyIsStillSeen() {
    BlockFigures figures;
    for (int i = 1; i <= 1000; ++i) figures.add(figuresAt(i, {i == 500 ? std::nanf("") : 1.0F, 1}));
    BlockMap map(*theme_);
    map.resize(400, 160);  // less than a pixel a report
    map.present(&figures, 0, QStringLiteral("Gradient norm"));
    const QImage picture = map.grab().toImage();
    int num_bad = 0;
    for (int y = map.mapRect().top(); y < map.mapRect().bottom(); ++y)
      for (int x = map.mapRect().left(); x < map.mapRect().right(); ++x)
        num_bad += picture.pixel((QPointF(x, y) * picture.devicePixelRatio()).toPoint()) == theme_->colors().bad.rgb();
    QVERIFY2(num_bad > 60, qPrintable(QString::number(num_bad)));
  }

  void aClickMovesTheCursorAndShowsTheBlock() {
    RunSource source(QStringLiteral("/nowhere"));
    GradientsPanel panel(*theme_);
    panel.resize(620, 620);
    panel.setSource(&source);
    panel.show();
    source.feed(testing::madeUpRun({.num_stages = 4, .has_samples = false}));
    source.feed(testing::madeUpBlocks("cmt", 540, 10, 10, 400));
    QTRY_VERIFY(panel.showsMap());
    QCOMPARE(panel.stage(), std::string("cmt"));
    QSignalSpy picked(&panel, &GradientsPanel::stepPicked);
    auto& map = panel.map();
    const QPoint place(static_cast<int>(map.xOf(300)) - 2, static_cast<int>(map.rowRect(3).center().y()));
    QTest::mouseClick(&map, Qt::LeftButton, {}, place);
    QCOMPARE(picked.size(), 1);
    QCOMPARE(picked[0][0].toString(), QStringLiteral("cmt"));
    QCOMPARE(picked[0][1].toLongLong(), 300);
    QCOMPARE(map.block(), std::size_t{3});
    QCOMPARE(panel.charts().title(), QStringLiteral("Gradient norm of blocks.2"));
    panel.showStep(QStringLiteral("cmt"), 300, false);
    map.setFocus();
    QTest::keyClick(&map, Qt::Key_Left);
    QCOMPARE(picked[1][1].toLongLong(), 290);
    QTest::keyClick(&map, Qt::Key_Down);
    QCOMPARE(map.block(), std::size_t{4});
    QVERIFY(map.accessibleDescription().contains(QStringLiteral("blocks.3")));
    auto* figure = panel.findChild<QComboBox*>();
    QCOMPARE(figure->count(), 3);
    QCOMPARE(figure->itemText(1), QStringLiteral("Adam update norm"));
    figure->setCurrentIndex(2);
    QCOMPARE(panel.charts().title(), QStringLiteral("Parameter norm of blocks.3"));
    QCOMPARE(map.numNotFinite(), 0);
    figure->setCurrentIndex(0);
    QVERIFY(map.numNotFinite() > 0);
    panel.showStep(QStringLiteral("teacher"), 100, false);
    QVERIFY(!panel.showsMap());
    QVERIFY(emptyText(panel).contains(QStringLiteral("No figures of the blocks of Teacher")));
    panel.setSource(nullptr);
  }

  void aRunWithoutFiguresOfBlocksStillHasClippingAndSpikes() {
    RunSource source(QStringLiteral("/nowhere"));
    GradientsPanel panel(*theme_);
    panel.resize(620, 560);
    panel.setSource(&source);
    panel.show();
    QVERIFY(emptyText(panel).contains(QStringLiteral("No steps yet")));
    auto records = testing::madeUpRun({.num_stages = 3, .has_samples = false});
    for (auto& record : records)
      if (auto* step = std::get_if<base::StepCompleted>(&record.event);
          step && step->stage == "teacher" && step->step == 600)
        step->scalars[0].value = 50;
    source.feed(records);
    QTRY_VERIFY(emptyText(panel).contains(QStringLiteral("This run does not record figures of single blocks")));
    QVERIFY(!panel.showsMap());
    QTRY_VERIFY(panel.clipping().title().startsWith(QStringLiteral("Clipped: ")));
    QVERIFY(panel.clipping().title().endsWith(QStringLiteral(" % · Teacher")));
    QTRY_COMPARE(panel.spikes().topLevelItemCount(), 1);
    QCOMPARE(panel.spikes().topLevelItem(0)->text(1), QStringLiteral("Loss"));
    QSignalSpy picked(&panel, &GradientsPanel::stepPicked);
    Q_EMIT panel.spikes().itemActivated(panel.spikes().topLevelItem(0), 0);
    QCOMPARE(picked[0][1].toLongLong(), 600);
    QVERIFY(testing::picturesInBothLooks(*theme_, panel, out(), QStringLiteral("gradients_without_blocks")));
    panel.setSource(nullptr);
    QVERIFY(emptyText(panel).contains(QStringLiteral("No run is open")));
  }

  void aRecordedRunLooksAsALiveOneDoes() {
    QTemporaryDir dir;
    const QString folder = dir.filePath(QStringLiteral("run"));
    auto records = testing::madeUpRun({.num_stages = 4, .has_samples = false});
    for (auto& record : testing::madeUpBlocks("cmt", 540, 10, 14, 400)) records.push_back(std::move(record));
    for (std::size_t i = 0; i < records.size(); ++i) records[i].sequence = static_cast<std::int64_t>(i);
    testing::writeRunFolder(folder, records);
    RunSource live(folder);
    live.feed(records);
    RecordedRunSource recorded(folder);
    QTRY_VERIFY(!recorded.isLoading());
    const auto *a = live.blocks().stage("cmt"), *b = recorded.blocks().stage("cmt");
    QVERIFY(a && b);
    QCOMPARE(b->columns().size(), a->columns().size());
    for (std::size_t c = 0; c < a->columns().size(); ++c) {
      for (std::size_t block = 0; block < a->blocks().size(); ++block) {
        const auto &x = a->cell(c, 0, block), &y = b->cell(c, 0, block);
        QCOMPARE(y.num_not_finite, x.num_not_finite);
        if (x.num_finite > 0) QVERIFY(std::abs(y.high - x.high) <= 1e-4 * x.high);
      }
    }
    GradientsPanel panel(*theme_);
    panel.resize(620, 620);
    panel.setSource(&recorded);
    panel.showStep(QStringLiteral("cmt"), 330, false);
    panel.show();
    QTRY_VERIFY(panel.showsMap());
    auto& map = panel.map();
    QTest::mouseClick(&map, Qt::LeftButton, {},
                      QPoint(static_cast<int>(map.xOf(330)) - 1, static_cast<int>(map.rowRect(12).center().y())));
    QCOMPARE(map.block(), std::size_t{12});
    QVERIFY(testing::picturesInBothLooks(*theme_, panel, out(), QStringLiteral("gradients")));
    panel.setSource(nullptr);
  }

  void theFirstPaintOfAFullMapFitsAFrame() {
    BlockFigures figures;
    for (int i = 1; i <= 1024; ++i) figures.add(figuresAt(i, std::vector<float>(60, 1.0F + static_cast<float>(i % 7))));
    BlockMap map(*theme_);
    map.resize(900, 400);
    map.present(&figures, 0, QStringLiteral("Gradient norm"));
    map.grab();
    QBENCHMARK { map.grab(); }
  }

 private:
  static QString out() { return QCoreApplication::applicationDirPath() + QStringLiteral("/../screenshots/figures"); }
  std::unique_ptr<Theme> theme_;
};

STUDIO_TEST(TestGradients)
#include "tst_gradients.moc"
