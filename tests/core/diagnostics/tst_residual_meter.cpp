// SPDX-License-Identifier: Apache-2.0
#include "core/diagnostics/residual_meter.h"

#include <torch/torch.h>

#include <QTest>
#include <cmath>

#include "core/base/metrics/velocity_residuals.h"
#include "core/diagnostics/velocity_oracle.h"
#include "core/flow/gaussian_flow.h"
#include "core/flow/noise.h"
#include "core/flow/path.h"
#include "core/objectives/mean_flow.h"
#include "tests/support/studio_test.h"

using namespace meanflow;
using namespace meanflow::core;

namespace {

constexpr double kEtas[] = {0, 0.25, 0.5, 1};

torch::Tensor residualNormals(std::uint64_t seed, std::int64_t num) {
  return noise(seed, Stream::kEps, 0, num, {2, 3, 3}).to(torch::kFloat64);
}

/// A student that is not linear in anything, in whatever precision it is asked.
torch::Tensor curvedStudent(const torch::Tensor& z, const torch::Tensor& r, const torch::Tensor& t,
                            const torch::Tensor& y) {
  const auto weight = torch::tensor({{0.6, -0.3}, {0.2, 0.9}}, z.options());
  return torch::tanh(torch::einsum("ij,bjhw->bihw", {weight, z}) + likeImage(torch::sin(3 * t) - r * t)) +
         0.1 * likeImage(y.to(z.options()) * t) + 0.2 * z * z.mean({1, 2, 3}, true);
}
torch::Tensor curvedTeacher(const torch::Tensor& z, const torch::Tensor& t, const torch::Tensor& y) {
  return torch::sin(z) - likeImage(t) + 0.05 * likeImage(y.to(z.options()));
}

ResidualProbe probeOf(torch::Tensor x, torch::Tensor eps, const torch::Tensor& t, const torch::Tensor& r) {
  return {.x = std::move(x), .eps = std::move(eps), .r = r, .t = t, .y = torch::ones({t.size(0)}, torch::kInt64)};
}
torch::Tensor meanSquare(const torch::Tensor& a) { return a.to(torch::kFloat64).flatten(1).square().mean(1); }
double largestOf(const torch::Tensor& a) { return a.abs().max().item<double>(); }

}  // namespace

class TestResidualMeter : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase() { torch::set_num_threads(1); }

  void theResidualIsAffineInTheProxyVelocity_data() {
    QTest::addColumn<bool>("is_double");
    QTest::newRow("float64") << true;
    QTest::newRow("float32") << false;
  }
  void theResidualIsAffineInTheProxyVelocity() {
    QFETCH(const bool, is_double);
    const auto dtype = is_double ? torch::kFloat64 : torch::kFloat32;
    const auto data = residualNormals(1, 30);
    const VelocityOracle oracle(data, {}, 5);
    const auto t = torch::linspace(0.2, 0.99, 24, dtype), r = t * torch::linspace(0, 1, 24, dtype);
    const auto probe = probeOf(data.slice(0, 0, 24).to(dtype), residualNormals(2, 24).to(dtype), t, r);
    const auto z_t = interpolate(probe.x, probe.eps, t);
    const auto v_star = oracle(z_t, t, probe.y), v_theta = curvedTeacher(z_t, t, probe.y), v_hat = probe.eps - probe.x;
    const TransportDerivativeOptions jvp{.kind = DerivativeKind::kJvp};
    const auto bias = meanFlowResidual(curvedStudent, z_t, v_star, probe, jvp),
               single = residualMap(curvedStudent, z_t, v_hat - v_star, probe, jvp),
               taught = residualMap(curvedStudent, z_t, v_theta - v_star, probe, jvp);
    for (const double eta : kEtas) {
      const auto whole = meanFlowResidual(curvedStudent, z_t, (1 - eta) * v_hat + eta * v_theta, probe, jvp);
      const double error = largestOf(whole - (bias + (1 - eta) * single + eta * taught)) / largestOf(whole);
      QVERIFY2(error < (is_double ? 1e-13 : 1e-5), qPrintable(QStringLiteral("eta %1: %2").arg(eta).arg(error)));
    }
    // Finite differences say the same up to delta^2.
    const TransportDerivativeOptions difference{.delta_t = 1e-3, .clamp_times = false};
    QVERIFY(largestOf(residualMap(curvedStudent, z_t, v_hat - v_star, probe, difference) - single) <
            (is_double ? 1e-5 : 5e-3));
  }

  void theTermsAddUpInExpectationOverThePosterior_data() { theResidualIsAffineInTheProxyVelocity_data(); }
  void theTermsAddUpInExpectationOverThePosterior() {
    QFETCH(const bool, is_double);
    const auto dtype = is_double ? torch::kFloat64 : torch::kFloat32;
    // Given z_t only the latent behind it is random: every latent of the data, weighted by its posterior.
    constexpr std::int64_t kNum = 6;
    const auto x = 0.6 * residualNormals(3, kNum);
    const VelocityOracle oracle(x, {}, 5);
    for (const auto& [time, end] : {std::pair{0.9, 0.1}, {0.8, 0.75}, {0.7, 0.7}}) {
      const auto z = (1 - time) * x.narrow(0, 2, 1) + time * residualNormals(4, 1);
      const auto p = torch::softmax(-(z - (1 - time) * x).flatten(1).square().sum(1) / (2 * time * time), 0);
      QVERIFY(p.max().item<double>() < 0.9);  // a posterior of one latent would leave no variance to test
      const auto probe = probeOf(x.to(dtype), ((z - (1 - time) * x) / time).to(dtype), torch::full({kNum}, time, dtype),
                                 torch::full({kNum}, end, dtype));
      const auto samples =
          residualSamples([](const auto&... in) { return curvedStudent(in...); },
                          [&](const auto& z_t, const auto& t, const auto& y) { return oracle(z_t, t, y); },
                          curvedTeacher, probe, {.batch_size = 4});
      const auto expectation = [&](const torch::Tensor& values) { return (p * values).sum().item<double>(); };
      const base::ResidualTerms terms{.single_point = expectation(samples.single_point),
                                      .teacher_oracle = expectation(samples.teacher_oracle),
                                      .oracle_bias = expectation(samples.oracle_bias),
                                      .cross = expectation(samples.cross)};
      const auto z_t = interpolate(probe.x, probe.eps, probe.t);
      for (const double eta : kEtas) {
        const auto w = (1 - eta) * (probe.eps - probe.x) + eta * curvedTeacher(z_t, probe.t, probe.y);
        const double expected =
            expectation(meanSquare(meanFlowResidual(curvedStudent, z_t, w, probe, {.kind = DerivativeKind::kJvp})));
        const double error = std::abs(base::sharesAt(terms, eta).total() / expected - 1);
        QVERIFY2(error < (is_double ? 1e-10 : 1e-5),
                 qPrintable(QStringLiteral("t %1, eta %2: %3").arg(time).arg(eta).arg(error)));
      }
    }
  }

  void theResidualIsWhatTheMeanFlowLossSquares() {
    MeanFlowOptions options;
    options.num_classes = 5;
    options.label_dropout = 0;
    options.ratio_r_less_than_t = 0.6;
    options.derivative.kind = DerivativeKind::kJvp;
    const MeanFlow objective(options, TimeSchedule::withShift(2), VelocitySource::data());
    std::vector<std::int64_t> positions(16);
    for (std::int64_t i = 0; i < 16; ++i) positions[static_cast<std::size_t>(i)] = i;
    auto draws = drawFor(objective.needs(), 8, 0, positions, {2, 3, 3});
    draws.eps = draws.eps.to(torch::kFloat64);
    const auto x = residualNormals(5, 16);
    const auto y = torch::ones({16}, torch::kInt64);
    const auto terms = objective.evaluate(curvedStudent, x, y, draws);
    const auto probe = probeOf(x, draws.eps, terms.t, terms.r);
    const auto z_t = interpolate(x, draws.eps, terms.t);
    const auto residual = meanFlowResidual(curvedStudent, z_t, draws.eps - x, probe, options.derivative);
    QVERIFY(torch::allclose(residual.flatten(1).square().sum(1), terms.err_sq, 1e-10, 1e-12));
  }

  void aGaussianFlowHasItsClosedForms() {
    // Exact oracle. The student is the exact flow plus b, the teacher the oracle plus c: A = (t - r) slope - 1 is a
    // number, rho(v*) = b, and Var(eps - x | z_t) = 1 + s^2 - (t - (1 - t) s^2)^2 / sigma(t)^2 for data of variance
    // s^2.
    constexpr double kBias = 0.3, kOff = -0.4, kStd = 0.5;
    constexpr std::int64_t kNum = 4000;
    const GaussianFlow flow{.mean = torch::full({1, 2, 3, 3}, 0.7, torch::kFloat64), .std = kStd};
    const auto t = torch::linspace(0.05, 1, kNum, torch::kFloat64), r = 0.4 * t;
    const auto probe = probeOf(flow.mean + kStd * residualNormals(6, kNum), residualNormals(7, kNum), t, r);
    const FlowMap student = [&](const auto& z, const auto& from, const auto& to, const auto&) {
      return flow.averageVelocity(z, from, to) + kBias;
    };
    const VelocityField teacher = [&](const auto& z, const auto& at, const auto&) {
      return flow.velocity(z, at) + kOff;
    };
    const auto sigma = flow.sigma(t), slope = ((t + r) - kStd * kStd * (2 - t - r)) / (sigma * (sigma + flow.sigma(r)));
    const auto a = (t - r) * slope - 1;
    const auto variance = 1 + kStd * kStd - ((t - (1 - t) * kStd * kStd) / sigma).square();
    const auto samples = residualSamples(student, flow.velocityField(), teacher, probe);
    QVERIFY(largestOf(samples.oracle_bias - kBias * kBias) < 1e-12);
    QVERIFY(largestOf(samples.teacher_oracle - (kOff * a).square()) < 1e-12);
    QVERIFY(largestOf(samples.cross - kBias * kOff * a) < 1e-12);
    // 72000 entries: the mean of squares of normals is known to half a percent; every bin to two.
    const auto event = measureResiduals(student, flow.velocityField(), teacher, probe);
    const auto expected = a.square() * variance;
    QVERIFY(std::abs(event.overall.single_point / expected.mean().item<double>() - 1) < 0.02);
    QCOMPARE(event.num_samples, kNum);
    QCOMPARE(event.t_edges.size(), std::size_t(11));
    QCOMPARE(event.by_t.size(), std::size_t(10));
    for (std::size_t bin = 0; bin < event.by_t.size(); ++bin) {
      const auto is_in = (t >= 0.1 * static_cast<double>(bin)) & ((t < 0.1 * static_cast<double>(bin + 1)) | (t >= 1));
      if (bin < 9) {
        const auto below = is_in & (t < 1);
        const double of_bin = expected.masked_select(below).mean().item<double>();
        QVERIFY2(std::abs(event.by_t[bin].single_point / of_bin - 1) < 0.08,
                 qPrintable(QString::number(event.by_t[bin].single_point / of_bin)));
      }
      QVERIFY(std::abs(event.by_t[bin].oracle_bias - kBias * kBias) < 1e-12);
    }
  }

  void withoutATeacherOnlyItsOwnTermsAreMissing() {
    const auto t = torch::full({6}, 0.55, torch::kFloat64);
    const auto probe = probeOf(residualNormals(8, 6), residualNormals(9, 6), t, 0.5 * t);
    const GaussianFlow flow{.mean = torch::zeros({1}, torch::kFloat64), .std = 1};
    const auto with = measureResiduals(curvedStudent, flow.velocityField(), curvedTeacher, probe, {.num_t_bins = 4});
    const auto without = measureResiduals(curvedStudent, flow.velocityField(), {}, probe, {.num_t_bins = 4});
    QCOMPARE(without.overall.single_point, with.overall.single_point);
    QCOMPARE(without.overall.oracle_bias, with.overall.oracle_bias);
    QVERIFY(std::isnan(without.overall.teacher_oracle) && std::isnan(without.overall.cross));
    QVERIFY(!std::isnan(with.overall.teacher_oracle) && !std::isnan(with.overall.cross));
    // All samples lie in the third quarter.
    QCOMPARE(with.by_t[2], with.overall);
    for (const std::size_t bin : {0, 1, 3}) QVERIFY(std::isnan(with.by_t[bin].oracle_bias));
  }
};
STUDIO_TEST(TestResidualMeter)
#include "tst_residual_meter.moc"
