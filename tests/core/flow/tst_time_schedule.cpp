// SPDX-License-Identifier: Apache-2.0
#include <torch/torch.h>

#include <QTest>
#include <cmath>

#include "core/flow/time_schedule.h"
#include "tests/support/studio_test.h"

using namespace meanflow;
using core::TimeSchedule;

namespace {
bool near(double actual, double expected, double tolerance) { return std::abs(actual - expected) <= tolerance; }
double normalCdf(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }
}  // namespace

class TestTimeSchedule : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void shiftsByTheLatentDimension() {
    const TimeSchedule at_256({}, 768 * 16 * 16), at_512({}, 768 * 32 * 32);
    QVERIFY(near(at_256.shift(), 6.9282, 1e-4) && near(at_512.shift(), 13.8564, 1e-4));
    QVERIFY(near(at_256.shifted(0.5), 0.87387, 5e-6) && near(at_256.shifted(0.1), 0.43496, 5e-6) &&
            near(at_256.shifted(0.9), 0.98422, 5e-6));
    QVERIFY(near(at_512.shifted(0.5), 0.93269, 5e-6) && near(at_512.shifted(0.1), 0.60624, 5e-6) &&
            near(at_512.shifted(0.9), 0.99205, 5e-6));
    QVERIFY(near(TimeSchedule::withShift(3).shifted(torch::tensor(0.25)).item<double>(), 0.5, 1e-6));
  }

  void refusesAShiftBelowOneAndUnknownDistributions() {
    QVERIFY_EXCEPTION_THROWN(TimeSchedule({}, 64), c10::Error);
    base::TimeConfig config;
    config.distribution = "beta";
    QVERIFY_EXCEPTION_THROWN(TimeSchedule(config, 8192), c10::Error);
  }

  void gridRunsFromOneToTheShiftedEnd() {
    const auto schedule = TimeSchedule::withShift(std::sqrt(48.0));
    const auto grid = schedule.grid(16);
    QCOMPARE(grid.size(), std::size_t{16});
    QCOMPARE(grid.front(), 1.0);
    QVERIFY(near(grid.back(), 0.00689, 5e-6));
    QVERIFY(near(grid[7], 0.8881, 5e-5));  // the point that the released code calls 8/15
    QCOMPARE(schedule.grid(5, 0).back(), 0.0);
  }

  void logitNormalFollowsItsTruncatedDistributionFunction() {
    base::TimeConfig config{.distribution = "logit_normal", .mu = -0.4, .sigma = 1.2, .t_max = 0.999, .shift = 1};
    const auto u = torch::linspace(0, 0.999, 200, torch::kFloat64);
    const auto t = TimeSchedule(config, 1).fromUniforms(u);
    QCOMPARE(t[0].item<double>(), 0.0);
    const double total = normalCdf((std::log(0.999 / 0.001) + 0.4) / 1.2);
    for (std::int64_t k = 1; k < 200; ++k) {
      const double time = t[k].item<double>();
      const double share = normalCdf((std::log(time / (1 - time)) + 0.4) / 1.2) / total;
      QVERIFY(near(share, u[k].item<double>(), 1e-9));
    }
  }

  void pairsAreOrderedAndMostlyOfNoLength() {
    torch::manual_seed(3);
    const auto u2 = torch::rand({4000, 2}), mask = torch::rand({4000});
    const auto schedule = TimeSchedule::withShift(2);
    const auto pairs = schedule.pairsFromUniforms(u2, mask, 0.25);
    QVERIFY((pairs.r <= pairs.t).all().item<bool>());
    QVERIFY(near((pairs.r < pairs.t).to(torch::kFloat64).mean().item<double>(), 0.25, 0.03));
    const auto never = schedule.pairsFromUniforms(u2, mask, 0);
    QVERIFY(torch::equal(never.r, never.t));
    const auto always = schedule.pairsFromUniforms(u2, mask, 1);
    QVERIFY(torch::equal(always.r, schedule.fromUniforms(u2).amin(1)));
  }
};
STUDIO_TEST(TestTimeSchedule)
#include "tst_time_schedule.moc"
