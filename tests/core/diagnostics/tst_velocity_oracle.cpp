// SPDX-License-Identifier: Apache-2.0
#include "core/diagnostics/velocity_oracle.h"

#include <torch/torch.h>

#include <QTest>
#include <cmath>

#include "core/flow/gaussian_flow.h"
#include "core/flow/noise.h"
#include "core/flow/path.h"
#include "tests/support/studio_test.h"

using namespace meanflow::core;

namespace {

constexpr std::int64_t kNullLabel = 3;

torch::Tensor oracleNormals(std::uint64_t seed, std::int64_t num, std::vector<std::int64_t> shape) {
  return noise(seed, Stream::kEps, 0, num, shape).to(torch::kFloat64);
}

/// v* of one sample by its definition, over the latents at `members`.
torch::Tensor bruteForce(const torch::Tensor& x, const torch::Tensor& members, const torch::Tensor& z_t, double t) {
  const auto data = x.index_select(0, members);
  const auto distance = (z_t.unsqueeze(0) - (1 - t) * data).flatten(1).square().sum(1);
  const auto p = torch::softmax(-distance / (2 * t * t), 0);
  return (z_t - (p.view({-1, 1, 1, 1}) * data).sum(0)) / t;
}

}  // namespace

class TestVelocityOracle : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase() { torch::set_num_threads(1); }

  void agreesWithItsDefinition_data() {
    QTest::addColumn<bool>("is_double");
    QTest::newRow("float64") << true;
    QTest::newRow("float32") << false;
  }
  void agreesWithItsDefinition() {
    QFETCH(const bool, is_double);
    constexpr std::int64_t kNum = 40, kRows = 12;
    const auto x = oracleNormals(1, kNum, {2, 2, 2});
    const auto y = torch::arange(kNum).remainder(3);
    const auto t = torch::tensor({1.0, 0.9, 0.7, 0.5, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01, 1e-3, 1e-4}, torch::kFloat64);
    const auto labels = torch::tensor({0, 1, 2, 3, 0, 3, 1, 1, 2, 3, 0, 2}, torch::kInt64);  // 3: the null label
    auto z = interpolate(x.slice(0, 0, kRows), oracleNormals(2, kRows, {2, 2, 2}), t);
    if (!is_double) z = z.to(torch::kFloat32);
    const VelocityOracle oracle(x, y, kNullLabel);
    const auto v = oracle(z, t.to(z.dtype()), labels);
    QCOMPARE(v.scalar_type(), z.scalar_type());
    for (std::int64_t row = 0; row < kRows; ++row) {
      const auto label = labels[row].item<std::int64_t>();
      const auto members = label == kNullLabel ? torch::arange(kNum) : (y == label).nonzero().flatten();
      const auto expected = bruteForce(x, members, z[row].to(torch::kFloat64), t.to(z.dtype())[row].item<double>());
      const double error =
          (v[row].to(torch::kFloat64) - expected).norm().item<double>() / expected.norm().item<double>();
      QVERIFY2(error < (is_double ? 1e-9 : 1e-6), qPrintable(QStringLiteral("row %1: %2").arg(row).arg(error)));
    }
  }

  void manyLatentsArriveInChunksAndWeighTheSame() {
    // 32 MiB hold 65536 latents of 64 entries: three chunks; the second holds the one that decides.
    constexpr std::int64_t kNum = 150'000, kDecisive = 80'000;
    auto x = torch::zeros({kNum, 1, 8, 8});
    x.slice(0, 0, kNum).add_(torch::linspace(3, 5, kNum).view({-1, 1, 1, 1}));
    x[kDecisive].zero_();
    const double t = 0.5;
    const auto z = torch::full({1, 1, 8, 8}, 0.1, torch::kFloat64);
    const auto v = VelocityOracle(x, {}, 1)(z, torch::tensor({t}, torch::kFloat64), torch::zeros({1}, torch::kInt64));
    // All others are at least 64 * (1.5 - .1)^2 / (2 * .25) further away: exp(-250).
    QVERIFY((v - 0.2).abs().max().item<double>() < 1e-12);
    // In the middle of the row z / (1 - t) of equally dense latents (one dimension is left), m is z / (1 - t).
    const auto among = torch::full({1, 1, 8, 8}, 2.0, torch::kFloat64);
    const auto between =
        VelocityOracle(x, {}, 1)(among, torch::tensor({t}, torch::kFloat64), torch::zeros({1}, torch::kInt64));
    QVERIFY2((between - (2.0 - 4.0) / t).abs().max().item<double>() < 1e-5,
             qPrintable(QString::number(between.mean().item<double>())));
  }

  void manySamplesOfAGaussianGiveItsClosedForm() {
    constexpr std::int64_t kNum = 60'000;
    const auto mean = torch::full({1, 2, 1, 1}, 0.7, torch::kFloat64);
    const GaussianFlow flow{.mean = mean, .std = 0.5};
    const auto x = mean + 0.5 * oracleNormals(3, kNum, {2, 1, 1});
    const auto t = torch::tensor({0.9, 0.7, 0.5, 0.4}, torch::kFloat64);
    const auto z = interpolate(mean + 0.5 * oracleNormals(4, 4, {2, 1, 1}), oracleNormals(5, 4, {2, 1, 1}), t);
    const auto y = torch::zeros({4}, torch::kInt64);
    const auto error = (VelocityOracle(x, {}, 1)(z, t, y) - flow.velocity(z, t)).abs().flatten(1).amax(1);
    // The posterior's spread of x (at most .5) over the root of the samples near z, divided by t; a handful of sigmas.
    for (std::int64_t row = 0; row < 4; ++row)
      QVERIFY2(error[row].item<double>() < 0.04, qPrintable(QString::number(error[row].item<double>())));
    QVERIFY(error.min().item<double>() > 0);
  }

  void nearTheDataItIsTheNearestLatent() {
    const auto x = oracleNormals(6, 20, {4, 4, 4});
    const auto eps = oracleNormals(7, 20, {4, 4, 4});
    const VelocityOracle oracle(x, torch::zeros({20}, torch::kInt64), 1);
    const auto y = torch::zeros({20}, torch::kInt64);
    for (const double time : {1e-2, 1e-4, 1e-6}) {
      const auto t = torch::full({20}, time, torch::kFloat64);
      const auto v = oracle(interpolate(x, eps, t), t, y);
      QVERIFY2(torch::allclose(v, eps - x, 1e-6, 1e-6), qPrintable(QString::number(time)));
    }
    // At t = 0 there is no v*: a finite number all the same, in float32 too, and far away from all latents.
    for (const auto& z : {x, x.to(torch::kFloat32), 1e4 * x.to(torch::kFloat32)})
      QVERIFY(oracle(z, torch::zeros({20}, z.options()), y).isfinite().all().item<bool>());
  }

  void aClassWithoutLatentsIsRefused() {
    const VelocityOracle oracle(oracleNormals(1, 4, {1, 1, 1}), torch::tensor({0, 0, 2, 2}, torch::kInt64), kNullLabel);
    const auto at = [&](std::int64_t label) {
      return oracle(torch::zeros({1, 1, 1, 1}), torch::full({1}, 0.5F), torch::full({1}, label, torch::kInt64));
    };
    for (const std::int64_t label : {0, 2, 3}) QVERIFY(at(label).isfinite().all().item<bool>());
    for (const std::int64_t label : {1, 4, -1}) QVERIFY_THROWS_EXCEPTION(c10::Error, at(label));
  }
};
STUDIO_TEST(TestVelocityOracle)
#include "tst_velocity_oracle.moc"
