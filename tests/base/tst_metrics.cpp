// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "core/base/metrics/metric_series.h"
#include "core/base/metrics/metrics_store.h"
#include "core/base/metrics/spike_detector.h"
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

/// Every bucket of a folded series against all the points that it was ever given and that were not dropped.
bool keepsTheExtremes(const MetricSeries& folded, const MetricSeries& all, double low, double high, std::size_t most) {
  const auto buckets = folded.view(low, high, most);
  std::size_t i = 0;
  while (i < all.size() && !buckets.empty() && all.x(i) < buckets.front().x_first) ++i;
  for (const auto& bucket : buckets) {
    double min = kInf, max = -kInf, last = 0;
    if (i >= all.size() || all.x(i) != bucket.x_first) return false;
    for (; i < all.size() && all.x(i) <= bucket.x_last; ++i) {
      last = all.y(i);
      if (std::isfinite(last)) min = std::min(min, last), max = std::max(max, last);
    }
    if (all.x(i - 1) != bucket.x_last) return false;
    if (min <= max ? bucket.y_min != min || bucket.y_max != max : !std::isnan(bucket.y_min)) return false;
    if (std::isfinite(last) && bucket.y_last != last) return false;
  }
  return buckets.size() <= most + 2 &&
         (all.empty() || (!buckets.empty() && buckets.back().x_last >= std::min(high, all.x(all.size() - 1))));
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
  void foldingMakesRoomAndHidesNoExtreme() {
    std::mt19937 random(3);
    std::normal_distribution<double> noise;
    for (const std::size_t most : {std::size_t{16}, std::size_t{100}, std::size_t{4096}}) {
      MetricSeries folded, all;
      std::size_t largest = 0;
      for (double step = 1; step <= 40'000; ++step) {
        const double y = static_cast<int>(step) % 97 == 0 ? kNaN : noise(random);
        folded.append(step, y);
        all.append(step, y);
        if (folded.size() > most) folded.fold();
        largest = std::max(largest, folded.size());
        if (static_cast<int>(step) % 9999 == 0) QVERIFY(keepsTheExtremes(folded, all, step / 3, 2 * step / 3, 50));
      }
      QVERIFY2(largest <= most + 1, qPrintable(QString::number(largest)));
      QVERIFY(folded.numSegments() > 0 && folded.size() - folded.numSegments() >= most / 4);
      QVERIFY(keepsTheExtremes(folded, all, 0, 40'000, 30));
      QVERIFY(keepsTheExtremes(folded, all, 39'990, 40'000, 30));
      std::uint64_t num_finite = 0;
      double sum = 0, sum_of_all = 0;
      for (std::size_t i = 0; i < folded.size(); ++i) {
        num_finite += folded.numFinite(i);
        if (folded.numFinite(i) > 0) sum += folded.mean(i) * static_cast<double>(folded.numFinite(i));
      }
      for (std::size_t i = 0; i < all.size(); ++i) sum_of_all += all.numFinite(i) > 0 ? all.y(i) : 0;
      QCOMPARE(num_finite, std::uint64_t{40'000 - 40'000 / 97});
      QVERIFY(std::abs(sum - sum_of_all) < 1e-6);
    }
  }

  void rewindingAFoldedSeriesDropsWhatReachesBeyond() {
    MetricSeries folded, all;
    for (double step = 1; step <= 5000; ++step) {
      folded.append(step, step), all.append(step, step);
      if (folded.size() > 256) folded.fold();
    }
    const auto segments = folded.numSegments();
    const double within = folded.x(segments / 2) - 0.5;  // the middle of a segment, which goes
    folded.truncateAfter(within);
    QCOMPARE(folded.numSegments(), segments / 2);
    all.truncateAfter(folded.x(folded.size() - 1));
    for (double step = 4000; step <= 9000; ++step) {
      folded.append(step, -step), all.append(step, -step);
      if (folded.size() > 256) folded.fold();
    }
    QVERIFY(folded.size() <= 256);
    QVERIFY(keepsTheExtremes(folded, all, 0, 9000, 40));
    folded.truncateAfter(0);
    QVERIFY(folded.empty());
    for (double step = 1; step <= 2000; ++step) {
      folded.append(step, 1);
      if (folded.size() > 256) folded.fold();
    }
    QVERIFY(folded.size() <= 256);
  }

  void spikesAreFoundOnceWhetherPointsWereFoldedOrNot() {
    std::mt19937 random(5);
    std::normal_distribution<double> noise;
    MetricSeries folded, all;
    SpikeDetector of_folded, of_all;
    for (int step = 1; step <= 20'000; ++step) {
      const double y = 1 + 0.05 * noise(random) + (step % 1777 == 0 ? 4 : 0);
      folded.append(step, y), all.append(step, y);
      if (folded.size() > 1000) folded.fold();
      if (step % 50 == 0) of_folded.update(folded, 1000), of_all.update(all, 1000);
    }
    QVERIFY(of_all.isDone(all) && of_folded.isDone(folded));
    QVERIFY(of_all.spikes().size() >= 11);
    QVERIFY(of_folded.spikes() == of_all.spikes());
    SpikeDetector late;  // of what was folded before it looked there are the extremes
    late.update(folded, folded.size());
    for (const auto& spike : of_all.spikes()) {
      if (spike.value < 4) continue;
      QVERIFY(std::any_of(late.spikes().begin(), late.spikes().end(),
                          [&](const auto& found) { return found.value == spike.value && found.x >= spike.x; }) ||
              spike.x < 5000);
    }
    folded.truncateAfter(8000), all.truncateAfter(8000);
    of_folded.update(folded, 100'000), of_all.update(all, 100'000);
    QVERIFY(of_folded.spikes().size() <= of_all.spikes().size());
  }

  void smoothingGoesOnOverWhatWasFolded() {
    MetricSeries folded;
    SmoothedSeries smooth(0.9);
    for (double step = 1; step <= 4000; ++step) {
      folded.append(step, 2.5);
      if (folded.size() > 300) folded.fold();
      if (static_cast<int>(step) % 37 == 0) smooth.update(folded);
    }
    smooth.update(folded);
    QCOMPARE(smooth.size(), folded.size());
    QCOMPARE(smooth.at(1), 2.5);
    QCOMPARE(smooth.at(4000), 2.5);
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
