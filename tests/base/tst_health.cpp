// SPDX-License-Identifier: Apache-2.0
//
// Robust windows, the judgement of steps, the health report in text and JSON, and the charts of a diagnosis.
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>

#include "core/base/formats/svg_chart.h"
#include "core/base/metrics/health_monitor.h"
#include "core/base/run/health_report.h"
#include "tests/support/studio_test.h"

using namespace meanflow;
using namespace meanflow::base;

namespace {

constexpr double kNotANumber = std::numeric_limits<double>::quiet_NaN();

/// Loss near 1 and gradient norm near 2, with some noise, for steps 1 to `steps`.
void feedQuietSteps(HealthMonitor& monitor, std::int64_t steps) {
  std::mt19937 generator(3);
  std::normal_distribution<double> noise(0, 0.05);
  for (std::int64_t step = 1; step <= steps; ++step)
    QVERIFY(!monitor.judgeStep(step, 1 + noise(generator), 2 + noise(generator)));
}

EventRecord health(TrainingEvent event) { return {0, 1.0, std::move(event)}; }

}  // namespace

class TestHealth : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void theScoreOfNormalNoiseIsItsZ() {
    std::mt19937 generator(1);
    std::normal_distribution<double> noise(5, 2);
    RobustWindow window({.window = 20'001, .min_points = 20, .relative_floor = 0});
    for (int i = 0; i < 20'000; ++i) window.remember(noise(generator));
    QVERIFY(std::abs(window.median() - 5) < 0.06);
    for (const double z : {1.0, 3.0, 10.0}) {
      QVERIFY(std::abs(window.score(5 + 2 * z) - z) < 0.04 * z + 0.05);
      QVERIFY(std::abs(window.bound(window.score(5 + 2 * z)) - (5 + 2 * z)) < 1e-9);
    }
    QCOMPARE(window.score(1), 0.0);
    window.remember(std::numeric_limits<double>::infinity());
    window.remember(kNotANumber);
    QVERIFY(std::isfinite(window.median()));
  }

  void aWindowForgets() {
    RobustWindow window({.window = 11, .min_points = 5, .relative_floor = 0.1});
    for (int i = 0; i < 30; ++i) window.remember(100);
    for (int i = 0; i < 11; ++i) window.remember(1);
    QCOMPARE(window.median(), 1.0);
    QCOMPARE(window.score(2), 10.0);  // no deviation: measured by the floor
  }

  void whatIsNotFiniteIsFoundFromTheFirstStep() {
    const DiagnosticsConfig config;
    HealthMonitor monitor(config);
    const auto loss = monitor.judgeStep(1, kNotANumber, 1);
    QVERIFY(loss && loss->isBad());
    QCOMPARE(loss->kind, std::string("non_finite"));
    QCOMPARE(loss->figure, std::string("loss"));
    const auto norm = monitor.judgeStep(1, 1, std::numeric_limits<double>::infinity());
    QVERIFY(norm && norm->figure == "grad_norm");
  }

  void anExplosionIsAThousandTimesTheMedianAndASpikeLess() {
    const DiagnosticsConfig config;
    HealthMonitor monitor(config);
    feedQuietSteps(monitor, 60);
    const auto exploded = monitor.judgeStep(61, 1, 2100);
    QVERIFY(exploded && exploded->isBad());
    QCOMPARE(exploded->kind, std::string("explosion"));
    QCOMPARE(exploded->figure, std::string("grad_norm"));
    QVERIFY(std::abs(exploded->typical - 2) < 0.1 && std::abs(exploded->threshold - 2000) < 100);
    const auto spike = monitor.judgeStep(61, 6, 2);
    QVERIFY(spike && !spike->isBad());
    QCOMPARE(spike->kind, std::string("spike"));
    QVERIFY(!monitor.judgeStep(62, 6, 2));    // told once
    QVERIFY(!monitor.judgeStep(63, 2.5, 2));  // a loss that doubles is no news
    DiagnosticsConfig off;
    off.explosion_factor = off.spike_score = 0;
    HealthMonitor silent(off);
    feedQuietSteps(silent, 60);
    QVERIFY(!silent.judgeStep(61, 1e9, 1e9));
  }

  void whereSpikesAreManyOnlyAHigherOneIsNews() {
    const DiagnosticsConfig config;
    HealthMonitor monitor(config);
    std::mt19937 generator(7);
    std::normal_distribution<double> noise(0, 0.05);
    const auto usual = [&](std::int64_t step) {
      return step % 60 == 0 ? 6.0 + noise(generator) : 1 + noise(generator);
    };
    int num_warnings = 0;
    std::int64_t step = 1;
    for (; step <= 3000; ++step) num_warnings += monitor.judgeStep(step, usual(step), 2).has_value();
    QCOMPARE(num_warnings, 1);  // of fifty
    const auto news = monitor.judgeStep(++step, 12, 2);
    QVERIFY(news && news->kind == "spike");
    QVERIFY2(news->threshold > 7 && news->threshold < 12, qPrintable(QString::number(news->threshold)));
    for (++step; step < 6000; ++step) QVERIFY(!monitor.judgeStep(step, 1 + noise(generator), 2));
    QVERIFY(monitor.judgeStep(step, 6, 2));  // news again, those before are long ago
  }

  void aBadStepIsNoPartOfThePast() {
    const DiagnosticsConfig config;
    HealthMonitor monitor(config);
    feedQuietSteps(monitor, 60);
    for (std::int64_t step = 61; step < 261; ++step) QVERIFY(monitor.judgeStep(step, 5000, 2)->isBad());
  }

  void theReportTellsAlarmsFindingsAndMeasurements() {
    HealthReport report;
    RunStarted started;
    started.stages = {"mean_flow", "report"};
    started.stage_steps = {100, 1};
    report.apply(health(started));
    report.apply(health(StageStarted{"mean_flow", 0, 100, 10}));
    StepCompleted step{.stage = "mean_flow", .step = 40};
    step.scalars = {{"loss", 0.25}, {"grad_norm", 3.5}, {"clipped_share", 0.5}, {"skipped_steps", 2}};
    report.apply(health(step));
    report.apply(health(BlockFiguresReady{"mean_flow",
                                          40,
                                          {"x_embedder", "blocks.0"},
                                          {{"grad_norm", {0.5f, 2}}, {"attention_logit_max", {std::nanf(""), 7}}}}));
    report.apply(health(VelocityResidualsReady{
        "mean_flow", 40, 1, 64, {.single_point = 1, .teacher_oracle = 0.1, .oracle_bias = 2}, {}, {}}));
    report.apply(health(DerivativeHealthReady{"mean_flow", 40, 1e-5, 2e-3, "fp32", "rounding", {}, {}, {}}));
    report.apply(health(CmtMatrixReady{"mean_flow", 40, {1, 0.5f, 0}, {0, 0.1f, 0.9f, 0, 0, 0.2f, 0, 0, 0}, "fine"}));
    AlarmRaised alarm;
    alarm.stage = "mean_flow", alarm.step = 41, alarm.kind = "non_finite", alarm.action = "skip",
    alarm.text = "It broke.";
    report.apply(health(alarm));
    report.apply(health(DiagnosisReady{"mean_flow",
                                       41,
                                       "non_finite",
                                       {41, "activation", "blocks.0", "aten::mm", 7, 1},
                                       "the first activation",
                                       "mean_flow/diagnostics/x",
                                       0}));
    const auto text = QString::fromStdString(report.text());
    for (const char* part : {"loss 0.25", "50 % of the last steps clipped", "2 steps skipped", "2 in blocks.0",
                             "7 in blocks.0", "[skip] mean_flow step 41: It broke.", "block blocks.0", "sample 7",
                             "rank 1", "mean_flow/diagnostics/x/report.md", "rounding half", "0.002", "1 to 0, misses"})
      QVERIFY2(text.contains(QLatin1String(part)), qPrintable(text));
    QVERIFY2(!text.contains("report:  loss") && !text.contains("nan"), qPrintable(text));
    const auto json = report.json();
    QCOMPARE(json["alarms"][0]["action"].get<std::string>(), std::string("skip"));
    QCOMPARE(json["diagnoses"][0]["origin"]["operation"].get<std::string>(), std::string("aten::mm"));
    QCOMPARE(json["stages"][0]["worst_jump"]["error"].get<float>(), 0.9f);
    QVERIFY(!json["stages"][0]["residuals"]["recommendation"].get<std::string>().empty());
  }

  void aRunWithoutEventsHasNoAlarms() {
    const HealthReport report;
    QVERIFY(QString::fromStdString(report.text()).contains("no alarms"));
  }

  void chartsAreWellFormedAndShowGaps() {
    const auto chart = QString::fromStdString(
        svgLineChart({.title = "a < b & \"c\"", .x_label = "step", .is_log_y = true, .marked_x = 3, .has_mark = true},
                     {{"loss", {1, 2, 3}, {1, kNotANumber, 100}}}));
    QVERIFY(chart.contains("a &lt; b &amp; &quot;c&quot;"));
    QCOMPARE(chart.count("<circle"), 1);  // the point that is not finite
    QCOMPARE(chart.count("<text"), chart.count("</text>"));
    QVERIFY(chart.trimmed().endsWith("</svg>"));
    QVERIFY(!chart.contains("nan") && !chart.contains("inf"));
    const auto map = QString::fromStdString(svgHeatMap("norms", {"blocks.0"}, {"1", "2"}, {{0.5, kNotANumber}}));
    QCOMPARE(map.count("<rect"), 2);
    QVERIFY(map.contains("#d03030"));
    QVERIFY(svgLineChart({}, {}).ends_with("</svg>\n"));
  }
};

STUDIO_TEST(TestHealth)
#include "tst_health.moc"
