// SPDX-License-Identifier: Apache-2.0
//
// Long series are smoothed in parts: the result is that of smoothing at once, and until it is there the curve that was
// complete last stays on show.
#include <QApplication>
#include <cmath>

#include "tests/support/studio_test.h"
#include "ui/models/curve_data.h"
#include "ui/models/run_source.h"
#include "ui/panels/curves_panel.h"
#include "ui/theme/format.h"
#include "ui/theme/theme.h"

using namespace meanflow;
using namespace meanflow::ui;

namespace {

constexpr int kNumPoints = 3 * static_cast<int>(CurveData::kPointsAtOnce);
constexpr std::size_t kPart = 7'000;

base::MetricSeries longSeries(int size, double shift = 0) {
  base::MetricSeries series;
  for (int i = 1; i <= size; ++i) series.append(i, i % 977 == 0 ? std::nan("") : shift + std::sin(0.01 * i) + 1.0 / i);
  return series;
}

base::MetricSeries condensed(const base::MetricSeries& points) {
  base::MetricSeries series;
  for (const auto& segment : points.segments(256)) series.appendSegment(segment);
  return series;
}

base::MetricsStore::SeriesMap asLoss(base::MetricSeries series) {
  base::MetricsStore::SeriesMap map;
  map[{"teacher", "unix_seconds"}] = series;
  map[{"teacher", "loss"}] = std::move(series);
  return map;
}

base::SmoothedSeries atOnce(const base::MetricSeries& series, double weight) {
  base::SmoothedSeries smoothed(weight);
  smoothed.update(series);
  return smoothed;
}

/// The first place where the curve on show is not `expected` there; NaN equals NaN.
QString difference(CurveData& data, const base::SmoothedSeries& expected) {
  const auto points = data.points("teacher", "loss", 0, kNumPoints, kNumPoints);
  if (points.size() < 100) return QStringLiteral("%1 points").arg(points.size());
  for (const auto& point : points) {
    const double wanted = expected.at(point.step);
    if (point.value != wanted && !(std::isnan(point.value) && std::isnan(wanted)))
      return QStringLiteral("%1 instead of %2 at %3").arg(point.value).arg(wanted).arg(point.step);
  }
  return {};
}

int finish(CurveData& data) {
  int num_parts = 0;
  for (; !data.isComplete(); ++num_parts) data.smoothPart(kPart);
  return num_parts;
}

/// A run whose series come at another resolution, as from a long record.
class LongRun final : public RunSource {
 public:
  LongRun() : RunSource(QStringLiteral("/nowhere")) {
    const std::vector<base::EventRecord> records = {
        {0, 1,
         base::RunStarted{.run_name = "long", .num_workers = 1, .stages = {"teacher"}, .stage_steps = {kNumPoints}}},
        {1, 1, base::StageStarted{"teacher", 0, kNumPoints, 1}}};
    feed(records);
  }
  void show(base::MetricSeries series) { replaceSeries(asLoss(std::move(series))); }
};

QString smoothedText(double value) { return QStringLiteral("(smoothed %1)").arg(formatNumber(value)); }

}  // namespace

class TestSmoothing : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void partsGiveWhatSmoothingAtOnceGives() {
    const auto series = longSeries(kNumPoints);
    base::MetricsStore store;
    store.replaceSeries(asLoss(series));
    CurveData data(store);
    data.setSmoothing(0.97);
    data.points("teacher", "loss", 0, kNumPoints, 100);
    QVERIFY(!data.isComplete());
    QVERIFY(finish(data) > 4);
    QCOMPARE(difference(data, atOnce(series, 0.97)), QString());
    QCOMPARE(data.nearest("teacher", "loss", 31'000)->value, atOnce(series, 0.97).at(31'000));
  }

  void shortSeriesAreSmoothedAtOnce() {
    const auto series = longSeries(static_cast<int>(CurveData::kPointsAtOnce));
    base::MetricsStore store;
    store.replaceSeries(asLoss(series));
    CurveData data(store);
    data.setSmoothing(0.9);
    QCOMPARE(difference(data, atOnce(series, 0.9)), QString());
    QVERIFY(data.isComplete());
  }

  void theCondensedCurveStaysUntilAllPointsAreSmoothed() {
    const auto series = longSeries(kNumPoints);
    base::MetricsStore store;
    store.replaceSeries(asLoss(condensed(series)));
    CurveData data(store);
    data.setSmoothing(0.9);
    const auto before = atOnce(condensed(series), 0.9);
    QCOMPARE(difference(data, before), QString());
    QVERIFY(data.isComplete());
    store.replaceSeries(asLoss(series));
    for (std::size_t taken = 0; kNumPoints - taken > CurveData::kPointsAtOnce; taken += kPart) {
      QCOMPARE(difference(data, before), QString());
      QVERIFY(!data.isComplete());
      QVERIFY(!data.smoothPart(kPart));
    }
    QCOMPARE(difference(data, atOnce(series, 0.9)), QString());
  }

  void anotherSmoothingGivesUpTheOneUnderWay() {
    const auto series = longSeries(kNumPoints);
    base::MetricsStore store;
    store.replaceSeries(asLoss(series));
    CurveData data(store);
    data.setSmoothing(0.9);
    QVERIFY(!difference(data, atOnce(series, 0.9)).isEmpty());  // raw values until the first one is complete
    finish(data);
    data.setSmoothing(0.99);
    QCOMPARE(difference(data, atOnce(series, 0.9)), QString());
    data.smoothPart(kPart);
    data.setSmoothing(0.5);
    QVERIFY(data.isComplete());  // the one with 0.99 is wanted no more
    QCOMPARE(difference(data, atOnce(series, 0.9)), QString());
    QVERIFY(!data.isComplete());
    finish(data);
    QCOMPARE(difference(data, atOnce(series, 0.5)), QString());
    data.setSmoothing(0.8);
    data.points("teacher", "loss", 0, kNumPoints, 100);
    data.smoothPart(kPart);
    data.setSmoothing(0);
    QVERIFY(data.isComplete());
    QVERIFY(!data.smoothPart(kPart));
    QCOMPARE(data.nearest("teacher", "loss", 500)->value, series.y(499));
  }

  void aRewindOfALongSeriesIsSmoothedAnew() {
    auto series = longSeries(kNumPoints);
    base::MetricsStore store;
    store.replaceSeries(asLoss(series));
    CurveData data(store);
    data.setSmoothing(0.9);
    data.points("teacher", "loss", 0, kNumPoints, 100);
    data.smoothPart(kPart);
    store.apply({0, 1, base::StageStarted{"teacher", kNumPoints - 5'000, kNumPoints, 1}});
    series.truncateAfter(kNumPoints - 5'000);
    data.points("teacher", "loss", 0, kNumPoints, 100);
    finish(data);
    QCOMPARE(difference(data, atOnce(series, 0.9)), QString());
  }

  void thePanelGoesOnByItselfAndLetsGoOfAnotherRun() {
    Theme theme(*qApp);
    const auto series = longSeries(kNumPoints), other_series = longSeries(kNumPoints, 5);
    LongRun run, other;
    CurvesPanel panel(theme);
    panel.resize(600, 400);
    panel.show();
    panel.setSmoothing(0.9);
    panel.setShownScalars({QStringLiteral("loss")});
    panel.setSource(&run);
    run.show(condensed(series));
    const double last = kNumPoints;
    const auto says = [&](double value) { return panel.readOut(last).contains(smoothedText(value)); };
    QTRY_VERIFY(says(atOnce(condensed(series), 0.9).at(last)));
    run.show(series);
    QTRY_VERIFY(says(atOnce(series, 0.9).at(last)));
    panel.setSmoothing(0.9999);
    QVERIFY(says(atOnce(series, 0.9).at(last)));
    QVERIFY(!panel.isUpToDate());
    QTRY_VERIFY(says(atOnce(series, 0.9999).at(last)));
    panel.setSmoothing(0.5);
    QVERIFY(!panel.isUpToDate());
    panel.setSource(&other);  // in the middle of it
    other.show(other_series);
    QTRY_VERIFY(panel.isUpToDate() && says(atOnce(other_series, 0.5).at(last)));
    panel.setSmoothing(0.7);
    panel.setSource(nullptr);
    QVERIFY(panel.isUpToDate());
    QTest::qWait(20);
    QVERIFY(panel.readOut(last).isEmpty());
  }
};

STUDIO_TEST(TestSmoothing)
#include "tst_smoothing.moc"
