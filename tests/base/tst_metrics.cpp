// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "core/base/metrics/metric_series.h"
#include "core/base/metrics/metrics_store.h"
#include "core/base/metrics/velocity_residuals.h"
#include "tests/support/studio_test.h"

using namespace meanflow::base;

namespace {
constexpr double kInf = std::numeric_limits<double>::infinity();
const double kNaN = std::nan("");

/// Every bucket of a view against the points themselves.
bool agreesWithThePoints(const MetricSeries& series, double low, double high, std::size_t max_buckets) {
  const auto buckets = series.view(low, high, max_buckets);
  if (buckets.size() > max_buckets + 2) return false;
  std::size_t i = 0;
  while (i < series.size() && !buckets.empty() && series.x(i) < buckets.front().x_first) ++i;
  for (const auto& bucket : buckets) {
    double min = kInf, max = -kInf, last = 0;
    if (i >= series.size() || series.x(i) != bucket.x_first) return false;  // no point between two buckets
    for (; i < series.size() && series.x(i) <= bucket.x_last; ++i) {
      last = series.y(i);
      if (std::isfinite(last)) min = std::min(min, last), max = std::max(max, last);
    }
    const bool has_any = min <= max;
    if (has_any ? bucket.y_min != min || bucket.y_max != max : !std::isnan(bucket.y_min) || !std::isnan(bucket.y_max))
      return false;
    if (std::isfinite(last) && bucket.y_last != last) return false;
  }
  for (std::size_t k = 0; k < series.size(); ++k)
    if (series.x(k) >= low && series.x(k) <= high &&
        (buckets.empty() || series.x(k) < buckets.front().x_first || series.x(k) > buckets.back().x_last))
      return false;
  return true;
}

struct Feed {
  MetricsStore store;
  std::int64_t sequence = 0;
  void operator()(TrainingEvent event) {
    store.apply({sequence, 100.0 + static_cast<double>(sequence), std::move(event)});
    ++sequence;
  }
};
StepCompleted stepEvent(const std::string& stage, std::int64_t step, double loss) {
  return {.stage = stage,
          .step = step,
          .images_seen = 64 * step,
          .scalars = {{"loss", loss}},
          .seconds_per_step = 0.5,
          .images_per_second = 128,
          .eta_seconds = 10,
          .is_clipped = false};
}
SamplesReady samplesEvent(const std::string& stage, std::int64_t step, const std::string& what) {
  SamplesReady event;
  event.stage = stage, event.step = step, event.what = what, event.path = "x.png";
  event.grid = std::make_shared<Image8>(2, 2);
  return event;
}
}  // namespace

class TestMetrics : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void deviceTimeIsWallTimeOfTheProcessesTimesTheirWorkers() {
    MetricsStore store;
    const auto say = [&](double now, TrainingEvent event) { store.apply({0, now, std::move(event)}); };
    RunStarted started;
    started.num_workers = 2, started.stages = {"teacher"}, started.stage_steps = {40};
    say(1000, started);
    say(1010, StageStarted{"teacher", 0, 40, 1});  // the data was loaded before: no stage's
    say(1015, stepEvent("teacher", 10, 1));
    say(1025, stepEvent("teacher", 20, 1));
    const auto* series = store.series("teacher", "device_seconds");
    QCOMPARE(series->y(0), 10.0);
    QCOMPARE(series->y(1), 30.0);
    // A day later four workers go on from step 10: the day was nobody's, the ten seconds that are void were paid.
    started.num_workers = 4, started.is_resumed = true;
    say(90000, started);
    say(90001, StageStarted{"teacher", 10, 40, 1});
    QCOMPARE(series->size(), std::size_t{1});
    say(90003, stepEvent("teacher", 20, 1));
    QCOMPARE(series->y(1), 38.0);
  }

  void viewOfManyPointsIsSmallAndKeepsTheExtremes() {
    MetricSeries series;
    constexpr std::size_t kNum = 2'000'000;
    for (std::size_t i = 0; i < kNum; ++i)
      series.append(static_cast<double>(i), std::sin(1e-4 * static_cast<double>(i)));
    MetricSeries spiked;
    for (std::size_t i = 0; i < kNum; ++i)
      spiked.append(static_cast<double>(i), i == 1'234'567 ? 99.0 : i == 77 ? -99.0 : series.y(i));
    const auto buckets = spiked.view(0, kNum);
    QVERIFY(buckets.size() <= 4098 && buckets.size() > 1000);
    const auto highest =
        std::max_element(buckets.begin(), buckets.end(), [](auto& a, auto& b) { return a.y_max < b.y_max; });
    const auto lowest =
        std::min_element(buckets.begin(), buckets.end(), [](auto& a, auto& b) { return a.y_min < b.y_min; });
    QCOMPARE(highest->y_max, 99.0);
    QVERIFY(highest->x_first <= 1'234'567 && highest->x_last >= 1'234'567);
    QCOMPARE(lowest->y_min, -99.0);
    QVERIFY(agreesWithThePoints(spiked, 3333, 1'900'001, 500));
    // Zoomed in, single points appear.
    const auto close = spiked.view(1'234'500, 1'234'600);
    QCOMPARE(close.size(), std::size_t{103});
    QCOMPARE(close[5].x_first, close[5].x_last);
  }
  void viewAgreesWithThePointsWhateverTheHistory() {
    std::mt19937 random(3);
    MetricSeries series;
    double x = 0;
    for (int round = 0; round < 60; ++round) {
      const int num = static_cast<int>(random() % 900);
      for (int i = 0; i < num; ++i) {
        const auto draw = random() % 1000;
        series.append(x += 1 + static_cast<double>(random() % 3), draw == 0   ? kNaN
                                                                  : draw == 1 ? kInf
                                                                              : static_cast<double>(draw));
      }
      if (!series.empty() && round % 3 == 2) {
        x = round % 9 == 8 ? static_cast<double>(random() % 40) : x * static_cast<double>(random() % 100) / 100;
        series.truncateAfter(x);
      }
      for (const std::size_t max_buckets : {1u, 7u, 100u, 5000u}) {
        QVERIFY(agreesWithThePoints(series, -kInf, kInf, max_buckets));
        QVERIFY(agreesWithThePoints(series, x / 3, x / 2, max_buckets));
      }
    }
  }
  void bucketEdgesStayWhilePanning() {
    MetricSeries series;
    for (int i = 0; i < 100000; ++i) series.append(i, i % 17);
    const auto a = series.view(10000, 60000, 100), b = series.view(10700, 60700, 100);
    for (const auto& bucket : b)
      if (bucket.x_last < 60000)
        QVERIFY(std::any_of(a.begin(), a.end(), [&](const auto& other) { return other.x_first == bucket.x_first; }));
  }
  void rewoundStepsReplaceTheOldOnes() {
    MetricSeries series;
    for (int i = 1; i <= 10; ++i) series.append(i, i);
    QCOMPARE(series.generation(), std::uint64_t{0});
    series.append(5, 50);
    QCOMPARE(series.size(), std::size_t{5});
    QCOMPARE(series.y(4), 50.0);
    QCOMPARE(series.generation(), std::uint64_t{1});
    series.truncateAfter(3);
    QCOMPARE(series.size(), std::size_t{3});
    series.truncateAfter(3);
    QCOMPARE(series.generation(), std::uint64_t{2});
  }
  void smoothingIsTheDebiasedAverageAndLeavesConstantsAlone() {
    MetricSeries series, constant;
    std::mt19937 random(1);
    SmoothedSeries smooth(0.9), flat(0.99);
    double s = 0, power = 1;
    for (int i = 0; i < 500; ++i) {
      const double y = static_cast<double>(random() % 1000) / 100;
      series.append(i, y);
      constant.append(i, 0.1);
      smooth.update(series);  // as it grows, not at once
      s = 0.9 * s + 0.1 * y, power *= 0.9;
      QVERIFY(std::abs(smooth.y(static_cast<std::size_t>(i)) - s / (1 - power)) < 1e-9);
    }
    flat.update(constant);
    for (std::size_t i = 0; i < 500; ++i) QCOMPARE(flat.y(i), 0.1);
  }
  void smoothingSkipsNaNAndFollowsRewinds() {
    MetricSeries series;
    series.append(0, kNaN);
    series.append(1, 2);
    series.append(2, kNaN);
    series.append(3, kInf);
    series.append(4, 2);
    SmoothedSeries smooth(0.5);
    smooth.update(series);
    QVERIFY(std::isnan(smooth.y(0)));
    for (std::size_t i = 1; i < 5; ++i) QCOMPARE(smooth.y(i), 2.0);
    series.append(2, 8);
    smooth.update(series);
    QCOMPARE(smooth.size(), std::size_t{3});
    QVERIFY(std::abs(smooth.y(2) - (0.25 * 2 + 0.5 * 8) / 0.75) < 1e-12);
  }

  void storeShowsTheStagesAndTheirCurves() {
    Feed feed;
    feed(RunStarted{"run", 1, "cpu", 2, false, {"teacher", "cmt"}, {100, 50}, {}});
    feed(StateChanged{RunState::kRunning});
    QCOMPARE(feed.store.stages().size(), std::size_t{2});
    QCOMPARE(feed.store.stage("cmt")->total_steps, std::int64_t{50});
    feed(StageStarted{"teacher", 0, 100, 1000});
    for (int i = 1; i <= 25; ++i) feed(stepEvent("teacher", i, 1.0 / i));
    QCOMPARE(feed.store.stage("teacher")->progress(), 0.25);
    QCOMPARE(feed.store.stage("teacher")->eta_seconds, 10.0);
    QVERIFY(feed.store.stage("teacher")->state == StageState::kRunning);
    QVERIFY(feed.store.stage("cmt")->state == StageState::kWaiting);
    QCOMPARE(feed.store.currentStage(), std::string("teacher"));
    QCOMPARE(feed.store.series("teacher", "loss")->size(), std::size_t{25});
    QCOMPARE(feed.store.series("teacher", "images_seen")->y(24), 64.0 * 25);
    QVERIFY(feed.store.series("cmt", "loss") == nullptr);
    feed(StageFinished{"teacher", 100, 12, 24});
    QVERIFY(feed.store.stage("teacher")->state == StageState::kDone);
    feed(MetricsReady{"teacher", 100, {{"accuracy", 0.9}}});
    QCOMPARE(feed.store.series("teacher", "metrics/accuracy")->y(0), 0.9);
    QVERIFY(feed.store.state() == RunState::kRunning);
    feed(RunFinished{"finished"});
    QVERIFY(feed.store.state() == RunState::kFinished);
  }
  void resumedStageForgetsWhatLiesBeyondItsCheckpoint() {
    Feed feed;
    feed(StageStarted{"cmt", 0, 100, 1});
    feed(stepEvent("teacher", 90, 1));
    for (int i = 10; i <= 60; i += 10) {
      feed(stepEvent("cmt", i, i));
      feed(samplesEvent("cmt", i, "one_step"));
      feed(CmtMatrixReady{"cmt", i, {}, {}});
    }
    feed(CheckpointSaved{"cmt", 40, "cmt/checkpoints/step_00000040", 1, 1});
    feed(RunStarted{"run", 1, "cpu", 2, true, {"teacher", "cmt"}, {100, 100}, {}});
    feed(StageStarted{"cmt", 40, 100, 1});
    QCOMPARE(feed.store.series("cmt", "loss")->size(), std::size_t{4});
    QCOMPARE(feed.store.samples("cmt", "one_step").size(), std::size_t{4});
    QCOMPARE(feed.store.cmtMatrices().size(), std::size_t{4});
    QCOMPARE(feed.store.checkpoints().size(), std::size_t{1});
    QCOMPARE(feed.store.series("teacher", "loss")->size(), std::size_t{1});
    QCOMPARE(feed.store.stage("cmt")->step, std::int64_t{40});
  }
  void onlyTheNewestGridKeepsItsPixels() {
    Feed feed;
    for (int i = 1; i <= 3; ++i) feed(samplesEvent("cmt", i, "one_step"));
    feed(samplesEvent("cmt", 3, "two_step"));
    const auto& list = feed.store.samples("cmt", "one_step");
    QVERIFY(!list[0].event.grid && !list[1].event.grid && list[2].event.grid);
    QCOMPARE(feed.store.sampleKeys().size(), std::size_t{2});
    QVERIFY(feed.store.samples("cmt", "absent").empty());
  }
  void failureProgressAndLogAreKept() {
    Feed feed;
    feed(Progress{"judge", 3, 10});
    QCOMPARE(feed.store.progress().at("judge").done, 3.0);
    feed(Progress{"judge", 10, 10});
    QVERIFY(feed.store.progress().empty());
    for (int i = 0; i < 10'005; ++i) feed(LogMessage{"info", std::to_string(i)});
    QCOMPARE(feed.store.log().size(), std::size_t{10'000});
    QCOMPARE(feed.store.log().back().event.text, std::string("10004"));
    feed(RunFailed{"cmt", 3, "loss is nan at step 3", true});
    QVERIFY(feed.store.state() == RunState::kFailed && feed.store.isDiverged());
    QCOMPARE(feed.store.failure(), std::string("loss is nan at step 3"));
    QVERIFY(feed.store.stage("cmt")->state == StageState::kFailed);
    feed(RunStarted{});
    QVERIFY(feed.store.failure().empty());
  }
  void sharesOfTheResidualsAddUpToTheSquareOfTheMixture() {
    // One-dimensional, A = a, rho(v*) = b, teacher off by d; the single-point velocity off by +s or -s with equal odds.
    constexpr double a = -0.7, b = 0.3, d = 0.5, s = 1.1;
    const ResidualTerms terms{
        .single_point = a * a * s * s, .teacher_oracle = a * a * d * d, .oracle_bias = b * b, .cross = b * a * d};
    for (const double eta : {0.0, 0.25, 0.6, 1.0}) {
      double expected = 0;
      for (const double sign : {-1.0, 1.0}) expected += 0.5 * std::pow(b + a * (eta * d + (1 - eta) * sign * s), 2);
      QVERIFY(std::abs(sharesAt(terms, eta).total() - expected) < 1e-12);
    }
    const double best = bestEta(terms);
    QVERIFY(best > 0 && best < 1);
    for (const double other : {best - 0.01, best + 0.01})
      QVERIFY(sharesAt(terms, other).total() > sharesAt(terms, best).total());
  }
  void withoutATeacherTheShareOfEtaZeroIsStillKnown() {
    const double nan = std::nan("");
    const ResidualTerms terms{.single_point = 2, .teacher_oracle = nan, .oracle_bias = 1, .cross = nan};
    QCOMPARE(sharesAt(terms, 0).total(), 3.0);
    QVERIFY(std::isnan(sharesAt(terms, 0.5).total()));
    QVERIFY(std::isnan(bestEta(terms)));
  }
  void residualsSayWhatToDoAboutThem_data() {
    QTest::addColumn<double>("single_point");
    QTest::addColumn<double>("teacher_oracle");
    QTest::addColumn<double>("oracle_bias");
    QTest::addColumn<double>("cross");
    QTest::addColumn<double>("eta");
    QTest::addColumn<int>("advice");
    QTest::addColumn<QString>("in_words");
    const auto row = [](const char* name, double single_point, double teacher_oracle, double oracle_bias, double eta,
                        ResidualAdvice advice, const char* in_words, double cross = 0) {
      QTest::newRow(name) << single_point << teacher_oracle << oracle_bias << cross << eta << static_cast<int>(advice)
                          << QString::fromUtf8(in_words);
    };
    using enum ResidualAdvice;
    row("bias at eta 1", 9, 0.2, 0.8, 1, kTrainLonger,
        "network's own error (oracle bias) makes 80 % of the squared residuals 1,");
    row("variance at eta 0", 9, 1, 1, 0, kMoreTeacher,
        "eta = 0.90 would bring the total to 19 % of that");  // (1 + .09 + .81) / 10
    row("variance at eta 0, no teacher", 9, kNaN, 1, 0, kTryTeacher, "is not known here");
    row("variance at its best eta", 9, 27, 0.1, 0.25, kAverageMore, "larger batch");  // 9 / 36
    row("teacher at eta 1", 1, 9, 0.5, 1, kLessTeacher,
        "eta = 0.10 would bring the total to 15 % of that");  // 1.4 / 9.5
    row("teacher, but variance is no smaller", 60, 5, 4, 1, kImproveTeacher, "train the teacher longer");
    // Fits w to 1 + 1 - 1.8 = .2, far better than the oracle; at eta 0 the same network has only its own error and the
    // variance to show.
    row("follows its teacher", 1, 1, 1, 1, kFollowsTeacher, "cancel 90 % of that: 0.2 is left", -0.9);
    row("follows its teacher, seen at eta 0", 1, 1, 1.5, 0, kTrainLonger, "(oracle bias) makes 60 %", -0.9);
    row("pulled apart", 1, 1, 4, 1, kTrainLonger, "add 40 % to that, which makes 7", 1);
    row("nothing", 4, 4, 1.5, 0.5, kStay, "Nothing stands out");
    row("no residual", 0, 0, 0, 1, kNone, "is zero");
    row("no teacher at eta 1", 9, kNaN, 1, 1, kUnknown, "not finite or not known");
  }
  void residualsSayWhatToDoAboutThem() {
    QFETCH(const double, single_point);
    QFETCH(const double, teacher_oracle);
    QFETCH(const double, oracle_bias);
    QFETCH(const double, cross);
    QFETCH(const double, eta);
    QFETCH(const int, advice);
    QFETCH(const QString, in_words);
    const auto found = assessResiduals({.single_point = single_point,
                                        .teacher_oracle = teacher_oracle,
                                        .oracle_bias = oracle_bias,
                                        .cross = std::isnan(teacher_oracle) ? kNaN : cross},
                                       eta);
    const auto words = QString::fromStdString(describe(found));
    QVERIFY2(words.contains(in_words), qPrintable(words));
    QCOMPARE(static_cast<int>(found.advice), advice);
  }
};
STUDIO_TEST(TestMetrics)
#include "tst_metrics.moc"
