// SPDX-License-Identifier: Apache-2.0
#include "core/evaluation/frechet.h"

#include "tests/core/data/golden_tensors.h"
#include "tests/support/studio_test.h"

using namespace meanflow;
using core::Moments;

namespace {
Moments gaussian(std::vector<double> mean, std::vector<double> variances) {
  return {.mean = torch::tensor(mean, torch::kFloat64),
          .covariance = torch::diag(torch::tensor(variances, torch::kFloat64)),
          .count = 100};
}
void compare(double actual, double expected, double tolerance, const std::string& what = "") {
  QVERIFY2(
      std::abs(actual - expected) <= tolerance,
      qPrintable(QString("%1: %2, expected %3").arg(what.c_str()).arg(actual, 0, 'g', 12).arg(expected, 0, 'g', 12)));
}
}  // namespace

class TestFrechet : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void init() { torch::manual_seed(7); }

  void equalsTheClosedFormOfAxisAlignedGaussians() {
    // |m1 - m2|^2 + sum (s1 - s2)^2 with s the standard deviations
    const auto a = gaussian({0, 1, -2}, {4, 1, 0.25}), b = gaussian({3, 1, 0}, {1, 9, 0.25});
    compare(core::frechetDistance(a, b), 9 + 4 + 1 + 4, 1e-12);
    compare(core::relativeFrechetDistance(a, b), 18 / 10.25, 1e-12);
  }

  void isZeroForItselfAndSymmetric() {
    const auto a = core::momentsOf(torch::randn({50, 8})), b = core::momentsOf(torch::randn({50, 8}) * 2 + 1);
    compare(core::frechetDistance(a, a), 0, 1e-10);
    compare(core::frechetDistance(a, b), core::frechetDistance(b, a), 1e-9);
  }

  void doesNotChangeWhenTheFeaturesAreTurned() {
    const auto x = torch::randn({200, 6}, torch::kFloat64), y = torch::randn({200, 6}, torch::kFloat64).mul(2).add(1);
    const auto rotation = std::get<0>(torch::linalg_qr(torch::randn({6, 6}, torch::kFloat64)));
    compare(core::frechetDistance(core::momentsOf(x.mm(rotation)), core::momentsOf(y.mm(rotation))),
            core::frechetDistance(core::momentsOf(x), core::momentsOf(y)), 1e-9);
  }

  void acceptsSingularCovariances() {
    const auto point = gaussian({1, 0}, {0, 0}), flat = gaussian({0, 0}, {2, 0});
    compare(core::frechetDistance(point, flat), 3, 1e-12);
    QVERIFY_THROWS_EXCEPTION(c10::Error, core::relativeFrechetDistance(flat, point));
  }

  void equalsTheGoldenDistances() {
    const auto tensors = testing::goldenTensors("frechet", "io.safetensors");
    const auto info = testing::goldenCase("frechet");
    for (const auto& [name, results] : info["results"].items()) {
      const auto moments = [&, key = name](const std::string& side) {
        return Moments{tensors.at(key + ".mu" + side), tensors.at(key + ".sigma" + side), 200};
      };
      const auto a = moments("1"), b = moments("2");
      const double expected = results["reference_eigh"].get<double>();
      const double trace = (a.covariance.trace() + b.covariance.trace()).item<double>();
      const double tolerance = name == "full_rank" ? 1e-8 * expected : 1e-6 * std::max(trace, 1.0);
      compare(core::frechetDistance(a, b), expected, tolerance, name);
    }
  }

  void momentsOfTheGoldenFeaturesAreNumpys() {
    const auto tensors = testing::goldenTensors("frechet", "io.safetensors");
    const auto moments = core::momentsOf(tensors.at("full_rank.feat1"));
    QVERIFY(torch::allclose(moments.mean, tensors.at("full_rank.mu1"), 1e-10, 1e-12));
    QVERIFY(torch::allclose(moments.covariance, tensors.at("full_rank.sigma1"), 1e-10, 1e-12));
  }

  void batchesAndWorkersAddUpToTheWhole() {
    const auto features = torch::randn({90, 5}, torch::kFloat64) + 1e6;  // a large mean must not cost digits
    core::MomentAccumulator all, first, second;
    all.add(features);
    for (const auto& part : features.narrow(0, 0, 37).split(10)) first.add(part);
    for (const auto& part : features.narrow(0, 37, 53).split(7)) second.add(part);
    first.merge(second);
    const auto expected = all.finish(), actual = first.finish();
    QCOMPARE(actual.count, std::int64_t{90});
    QVERIFY(torch::allclose(actual.mean, expected.mean, 1e-14, 0));
    QVERIFY(torch::allclose(actual.covariance, expected.covariance, 1e-9, 1e-9));
    QVERIFY_THROWS_EXCEPTION(c10::Error, first.add(torch::zeros({2, 4})));
    QVERIFY_THROWS_EXCEPTION(c10::Error, core::MomentAccumulator().finish());
  }
};
STUDIO_TEST(TestFrechet)
#include "tst_frechet.moc"
