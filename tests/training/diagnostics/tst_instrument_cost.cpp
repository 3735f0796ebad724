// SPDX-License-Identifier: Apache-2.0
//
// What instruments take of a step, worked out from times of which the answer is known.
#include "training/diagnostics/instrument_cost.h"

#include <cmath>

#include "tests/support/studio_test.h"

using namespace meanflow;

namespace {

/// Turns of four steps: seconds without, and what each kind takes more.
training::InstrumentedSeconds turns(const std::vector<double>& without, double quiet, double figures,
                                    double activations) {
  training::InstrumentedSeconds seconds;
  for (const double base : without) {
    seconds[0].push_back(base);
    seconds[1].push_back(base + quiet);
    seconds[2].push_back(base + figures);
    seconds[3].push_back(base + activations);
  }
  return seconds;
}

}  // namespace

class TestInstrumentCost : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void weighsKindsAsARunHasThem() {
    // Of 50 steps 45 are quiet, 4 have figures and 1 has activations too: 45 x 0.01 + 4 x 0.2 + 0.5 = 1.75.
    const auto cost = training::instrumentCost(turns({1, 1, 1, 1, 1}, 0.01, 0.2, 0.5),
                                               {.figures_every = 10, .activations_every = 50});
    QCOMPARE(cost.num_steps, std::int64_t{5});
    QVERIFY(std::abs(cost.share - 1.75 / 50) < 1e-12);
    QVERIFY(std::abs(cost.step_seconds - (1 + 1.75 / 50)) < 1e-12);
    QVERIFY(std::abs(cost.activations_seconds - 0.5) < 1e-12);
  }

  void figuresThatAreNeverDueCostNothing() {
    const auto cost =
        training::instrumentCost(turns({2, 2, 2}, 0.02, 5, 7), {.figures_every = 0, .activations_every = 0});
    QVERIFY(std::abs(cost.share - 0.01) < 1e-12);
  }

  void aMachineThatSlowsDownIsNotAnInstrument() {
    // Steps twice as slow half-way: only the differences within a turn count.
    const auto cost = training::instrumentCost(turns({1, 1, 1, 2, 2, 2, 2}, 0, 0.1, 0.1),
                                               {.figures_every = 10, .activations_every = 0});
    QVERIFY(std::abs(cost.share - 0.01 / 2) < 1e-12);
    QVERIFY(cost.share_error < 1e-12);
  }

  void scatterBecomesAnError() {
    // Differences -1, 0, 1 to a step of 10: median absolute deviation 1, so 1.4826 x 1.2533 / sqrt(3).
    training::InstrumentedSeconds seconds = turns({10, 10, 10}, 0, 0, 0);
    seconds[1] = {9, 10, 11};
    const auto cost = training::instrumentCost(seconds, {.figures_every = 0, .activations_every = 0});
    QVERIFY(std::abs(cost.share) < 1e-12);
    QVERIFY(std::abs(cost.share_error - 1.4826 * 1.2533 / std::sqrt(3.0) / 10) < 1e-9);
  }
};
STUDIO_TEST(TestInstrumentCost)
#include "tst_instrument_cost.moc"
