// SPDX-License-Identifier: Apache-2.0
#include <torch/torch.h>

#include <QTest>
#include <cmath>

#include "core/checkpoint/tensor_statistics.h"
#include "tests/support/studio_test.h"

using namespace meanflow::core;

class TestTensorStatistics : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void normAndRangeAreThoseOfTheFiniteValues() {
    auto values = torch::randn({3, 700, 1000});  // more than one piece
    values[1][2][3] = INFINITY, values[2][5][7] = NAN;
    const auto statistics = statisticsOf(values.transpose(0, 1));
    const auto finite = values.masked_select(torch::isfinite(values)).to(torch::kFloat64);
    QCOMPARE(statistics.num_non_finite, std::int64_t(2));
    QVERIFY(std::abs(statistics.norm / finite.norm().item<double>() - 1) < 1e-12);
    QCOMPARE(statistics.min, finite.min().item<double>());
    QCOMPARE(statistics.max, finite.max().item<double>());
    QCOMPARE(countNonFinite(values), std::int64_t(2));
    QCOMPARE(countNonFinite(values.slice(0, 0, 1)), std::int64_t(0));
  }
  void everyDtypeHasStatistics() {
    for (const auto type : {torch::kFloat64, torch::kHalf, torch::kBFloat16, torch::kInt64, torch::kInt8, torch::kUInt8,
                            torch::kBool, torch::kFloat8_e5m2, torch::kFloat8_e4m3fn}) {
      const auto statistics = statisticsOf(torch::ones({5}).to(type));
      QVERIFY2(std::abs(statistics.norm - std::sqrt(5.0)) < 1e-12, c10::toString(type));
      QCOMPARE(countNonFinite(torch::ones({5}).to(type)), std::int64_t(0));
    }
    QCOMPARE(statisticsOf(torch::ones({2}, torch::kComplexFloat)).norm, std::sqrt(2.0));
    QCOMPARE(countNonFinite(torch::full({3}, NAN).to(torch::kFloat8_e4m3fn)), std::int64_t(3));
    QCOMPARE(statisticsOf(torch::empty({0, 4})).norm, 0.0);
  }
  void aSumThatOverflowsIsNotTakenForABadValue() {
    QCOMPARE(countNonFinite(torch::full({1000}, 1e38)), std::int64_t(0));
    QCOMPARE(countNonFinite(torch::full({1000}, 60000.0, torch::kHalf)), std::int64_t(0));
  }
};
STUDIO_TEST(TestTensorStatistics)
#include "tst_tensor_statistics.moc"
