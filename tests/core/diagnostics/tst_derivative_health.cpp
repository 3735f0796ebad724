// SPDX-License-Identifier: Apache-2.0
#include "core/diagnostics/derivative_health.h"

#include <torch/torch.h>

#include <QTest>
#include <cmath>

#include "core/flow/noise.h"
#include "tests/support/studio_test.h"

using namespace meanflow::core;

namespace {

/// A bent map, in the precision of its inputs.
torch::Tensor bentMap(const torch::Tensor& z, const torch::Tensor& r, const torch::Tensor& t, const torch::Tensor&) {
  return torch::sin(1.7 * z + likeImage(2 * t - r)) * torch::exp(0.5 * likeImage(t)) + 0.3 * z * z;
}
/// Its derivative on paper: d/dt with dz/dt = w.
torch::Tensor bentDerivative(const TransportPoint& at) {
  const auto phase = 1.7 * at.z_t + likeImage(2 * at.t - at.r), growth = torch::exp(0.5 * likeImage(at.t));
  return growth * (torch::cos(phase) * (1.7 * at.w + 2) + 0.5 * torch::sin(phase)) + 0.6 * at.z_t * at.w;
}

TransportPoint healthPoint(torch::ScalarType dtype, double first_t = 0.4, double last_t = 0.8) {
  const auto normal = [&](std::uint64_t seed) { return noise(seed, Stream::kEps, 0, 64, {2, 3, 3}).to(dtype); };
  const auto t = torch::linspace(first_t, last_t, 64, dtype);
  return {.z_t = normal(5),
          .w = normal(6),
          .r = 0.3 * t,
          .t = t,
          .y = torch::zeros({64}, torch::kInt64),
          .y_plus = {},
          .y_minus = {}};
}

DerivativeHealthOptions sweep(double delta_t) { return {.in_use = {.delta_t = delta_t}}; }

/// Slope of the errors between two steps of the sweep, in the logarithms.
double slopeOf(const std::vector<float>& errors, const std::vector<float>& deltas, std::size_t a, std::size_t b) {
  return std::log(errors[b] / errors[a]) / std::log(deltas[b] / deltas[a]);
}

}  // namespace

class TestDerivativeHealth : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase() { torch::set_num_threads(1); }

  void theSweepIsSpacedInTheLogarithm() {
    const auto steps = logSpacedSteps();
    QCOMPARE(steps.size(), std::size_t(13));
    QVERIFY(std::abs(steps.front() - 1e-5) < 1e-15 && std::abs(steps.back() - 0.1) < 1e-12);
    for (std::size_t i = 1; i < steps.size(); ++i) QVERIFY(std::abs(steps[i] / steps[i - 1] - std::cbrt(10)) < 1e-9);
  }

  void errorsAreThoseAgainstTheDerivativeOnPaper() {
    const auto at = healthPoint(torch::kFloat64);
    const auto event = measureDerivativeHealth(bentMap, at, sweep(5e-3));
    const auto exact = bentDerivative(at);
    for (const std::size_t i : {6, 9, 12}) {
      const auto difference = transportDerivative(bentMap, at, {.delta_t = logSpacedSteps()[i]});
      const double expected = ((difference - exact).norm() / exact.norm()).item<double>();
      QVERIFY(std::abs(event.errors[i] / expected - 1) < 1e-5);
    }
  }

  void truncationHasSlopeTwoAndRoundingMinusOne() {
    const auto event = measureDerivativeHealth(bentMap, healthPoint(torch::kFloat32), sweep(5e-3), bentMap);
    QCOMPARE(event.errors.size(), event.deltas.size());
    QCOMPARE(event.errors_fp64.size(), event.deltas.size());
    // float64: truncation alone over the whole range (1e-4 to 1e-1), no times are clamped here.
    QVERIFY(std::abs(slopeOf(event.errors_fp64, event.deltas, 3, 12) - 2) < 0.05);
    QVERIFY2(std::abs(slopeOf(event.errors, event.deltas, 0, 4) + 1) < 0.25,  // 1e-5 to 2e-4
             qPrintable(QString::number(slopeOf(event.errors, event.deltas, 0, 4))));
    QVERIFY(std::abs(slopeOf(event.errors, event.deltas, 10, 12) - 2) < 0.1);
    QVERIFY(std::abs(event.errors[12] / event.errors_fp64[12] - 1) < 0.01);
    QVERIFY2(event.suggested_delta_t > 1e-3 && event.suggested_delta_t < 1e-2,
             qPrintable(QString::number(event.suggested_delta_t)));
  }

  void theVerdictNamesTheHalfThatTheStepLiesIn_data() {
    QTest::addColumn<double>("delta_t");
    QTest::addColumn<bool>("is_double");
    QTest::addColumn<bool>("is_strict");
    QTest::addColumn<QString>("verdict");
    QTest::newRow("tiny") << 1e-5 << false << false << "rounding";
    QTest::newRow("the default") << 5e-3 << false << false << "healthy";  // 9e-5: three times the best, but nothing
    QTest::newRow("the default, nothing is negligible") << 5e-3 << false << true << "truncation";
    QTest::newRow("beside the best") << 2e-3 << false << true << "healthy";
    QTest::newRow("small") << 1e-4 << false << false << "healthy";  // 3e-4
    QTest::newRow("small, nothing is negligible") << 1e-4 << false << true << "rounding";
    QTest::newRow("large") << 1e-1 << false << false << "truncation";
    QTest::newRow("tiny in float64") << 1e-5 << true << true << "healthy";
    QTest::newRow("the default in float64") << 5e-3 << true << true << "truncation";
  }
  void theVerdictNamesTheHalfThatTheStepLiesIn() {
    QFETCH(const double, delta_t);
    QFETCH(const bool, is_double);
    QFETCH(const bool, is_strict);
    QFETCH(const QString, verdict);
    auto options = sweep(delta_t);
    if (is_strict) options.negligible_truncation = options.negligible_rounding = 0;
    const auto at = healthPoint(is_double ? torch::kFloat64 : torch::kFloat32);
    for (const FlowMap& reference : {FlowMap{}, FlowMap(bentMap)}) {
      const auto event = measureDerivativeHealth(bentMap, at, options, reference);
      QCOMPARE(QString::fromStdString(event.verdict), verdict);
      QCOMPARE(event.delta_t, delta_t);
      QCOMPARE(event.errors_fp64.empty(), !reference);
    }
  }

  void clampedTimesMakeTheErrorOfFirstOrder() {
    // All times within 1e-3 of the end of the schedule: one-sided beyond that.
    const auto at = healthPoint(torch::kFloat64, 0.999, 1);
    auto options = sweep(5e-3);
    const auto clamped = measureDerivativeHealth(bentMap, at, options);
    options.in_use.clamp_times = false;
    const auto free = measureDerivativeHealth(bentMap, at, options);
    QVERIFY(std::abs(slopeOf(clamped.errors, clamped.deltas, 9, 11) - 1) < 0.1);
    QVERIFY(std::abs(slopeOf(free.errors, free.deltas, 9, 11) - 2) < 0.1);
  }

  void aJvpInUseIsHealthyAndHasNoStep() {
    auto options = sweep(1e-5);
    options.in_use.kind = DerivativeKind::kJvp;
    options.precision = "tf32";
    const auto event = measureDerivativeHealth(bentMap, healthPoint(torch::kFloat32), options);
    QCOMPARE(event.verdict, std::string("healthy"));
    QCOMPARE(event.delta_t, 0.0);
    QCOMPARE(event.precision, std::string("tf32"));
    QVERIFY(event.suggested_delta_t > 1e-3);
  }

  void oneLuckyStepDoesNotDecide() {
    // An error that vanishes at 1e-5 by accident: the smallest of all, in the middle of the rounding half.
    const auto at = healthPoint(torch::kFloat32);
    const FlowMap lucky = [&](const torch::Tensor& z, const torch::Tensor& r, const torch::Tensor& t,
                              const torch::Tensor& y) {
      const auto value = bentMap(z, r, t, y);
      if (z.size(0) != 2 * at.t.size(0)) return value;  // not the two shifted copies
      const auto gap = (t.chunk(2)[0] - t.chunk(2)[1]).mean().item<double>();
      if (gap > 3e-5) return value;
      const auto half = likeImage(t.chunk(2)[0] - t.chunk(2)[1]) * bentDerivative(at) / 2;
      return torch::cat({half, -half});
    };
    const auto event = measureDerivativeHealth(lucky, at, sweep(5e-3));
    QVERIFY(event.errors[0] < event.errors[8]);
    QVERIFY2(event.suggested_delta_t > 1e-3, qPrintable(QString::number(event.suggested_delta_t)));
    QCOMPARE(event.verdict, std::string("healthy"));
  }

  void aMapThatIsNotFiniteHasNoVerdict() {
    const FlowMap broken = [](const torch::Tensor& z, const torch::Tensor& r, const torch::Tensor& t,
                              const torch::Tensor& y) { return bentMap(z, r, t, y) * std::nan(""); };
    const auto event = measureDerivativeHealth(broken, healthPoint(torch::kFloat32), sweep(5e-3));
    QVERIFY(event.verdict.empty());
    QCOMPARE(event.suggested_delta_t, 0.0);
    QVERIFY(std::isnan(event.errors[6]));
  }
};
STUDIO_TEST(TestDerivativeHealth)
#include "tst_derivative_health.moc"
