// SPDX-License-Identifier: Apache-2.0
#include <torch/torch.h>

#include <QTest>

#include "core/flow/gaussian_flow.h"
#include "core/flow/noise.h"
#include "core/flow/time_schedule.h"
#include "core/objectives/consistency_mid_training.h"
#include "tests/support/studio_test.h"

using namespace meanflow::core;

namespace {

const auto kDouble = torch::TensorOptions(torch::kFloat64);

GaussianFlow gaussian(double std) { return {.mean = torch::full({1, 2, 1, 1}, 0.7, kDouble), .std = std}; }
torch::Tensor someNoise(std::int64_t num) { return noise(1, Stream::kEps, 0, num, {2, 3, 3}).to(torch::kFloat64); }
torch::Tensor allPairs(const Trajectories& trajectories) { return torch::arange(trajectories.numPairs()); }
torch::Tensor labels(std::int64_t num) { return torch::arange(num); }

/// Largest distance of the secants of `num_steps`-step trajectories from the exact average velocity.
double secantError(std::int64_t num_steps) {
  const auto flow = gaussian(0.5);
  const auto grid = TimeSchedule::withShift(3).grid(num_steps + 1);
  const auto trajectories = makeTrajectories(flow.velocityField(), someNoise(3), labels(3), grid);
  const auto pairs = selectPairs(trajectories, allPairs(trajectories), PairTimes::kSolver);
  return (pairs.u_tgt - flow.averageVelocity(pairs.z_t, pairs.r, pairs.t)).abs().max().item<double>();
}

}  // namespace

class TestConsistencyMidTraining : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase() { torch::set_num_threads(1); }  // small tensors: more threads only wait for each other

  void listsEveryPairInTheDocumentedOrder() {
    Trajectories trajectories{.states = torch::arange(8, kDouble).view({4, 2, 1, 1, 1}),
                              .times = {1, 0.7, 0.3, 0.1},
                              .y = torch::tensor({5, 6}, torch::kInt64)};
    QCOMPARE(trajectories.numPairs(), std::int64_t{12});
    const auto pairs = selectPairs(trajectories, allPairs(trajectories), PairTimes::kSolver);
    // Points from the clean end: state 3 (t 0.1), 2, 1, 0; states of trajectory m are 2k + m.
    QVERIFY(torch::equal(pairs.z_t.flatten(),
                         torch::tensor({4.0, 5.0, 2.0, 3.0, 2.0, 3.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0}, kDouble)));
    QVERIFY(
        torch::equal(pairs.t, torch::tensor({0.3, 0.3, 0.7, 0.7, 0.7, 0.7, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0}, kDouble)));
    QVERIFY(
        torch::equal(pairs.r, torch::tensor({0.1, 0.1, 0.1, 0.1, 0.3, 0.3, 0.1, 0.1, 0.3, 0.3, 0.7, 0.7}, kDouble)));
    QVERIFY(torch::equal(pairs.y.slice(0, 0, 4), torch::tensor({5, 6, 5, 6}, torch::kInt64)));
    QVERIFY(torch::allclose(pairs.u_tgt[2], torch::full({1, 1, 1}, -4 / 0.6, kDouble)));
    const auto official = selectPairs(trajectories, allPairs(trajectories), PairTimes::kOfficial);
    QVERIFY(torch::allclose(official.t.slice(0, 0, 3), torch::tensor({1.0 / 3, 1.0 / 3, 2.0 / 3}, kDouble)));
    QCOMPARE(official.r[0].item<double>(), 0.0);
  }

  void secantsBecomeExactAsStepsGrow() {
    const double coarse = secantError(32), fine = secantError(64);
    QVERIFY2(coarse / fine > 1.7 && coarse / fine < 2.3,
             qPrintable(QString::number(coarse / fine)));  // Euler: first order
    QVERIFY(secantError(512) < 0.1 * coarse);
  }

  void straightPathsHaveNoLossAtTheSolversTimesOnly() {
    const auto flow = gaussian(0);
    const auto trajectories =
        makeTrajectories(flow.velocityField(), someNoise(3), labels(3), TimeSchedule::withShift(3).grid(17));
    Draws draws;
    draws.pair_indices = allPairs(trajectories);
    const auto loss = [&](PairTimes pair_times) {
      return ConsistencyMidTraining({.num_classes = 10, .pair_times = pair_times})
          .evaluate(flow.flowMap(), trajectories, draws)
          .loss.item<double>();
    };
    QVERIFY(loss(PairTimes::kSolver) < 1e-24);
    QVERIFY(loss(PairTimes::kOfficial) > 0.01);
  }

  void teacherAndStudentSeeTheSameLabels() {
    const ConsistencyMidTraining objective({.num_classes = 10, .label_dropout = 0.1});
    Draws draws;
    draws.label_uniforms = torch::tensor({0.5, 0.01, 0.5});
    draws.eps = someNoise(3);
    torch::Tensor seen_by_teacher, seen_by_student;
    const VelocityField teacher = [&](const torch::Tensor& z, const torch::Tensor&, const torch::Tensor& y) {
      seen_by_teacher = y;
      return z;
    };
    const auto trajectories = objective.makeTrajectories(teacher, labels(3), draws, std::vector<double>{1, 0.5, 0});
    QVERIFY(torch::equal(seen_by_teacher, torch::tensor({0, 10, 2}, torch::kInt64)));
    draws.pair_indices = torch::tensor({0, 1, 2, 1}, torch::kInt64);
    const FlowMap student = [&](const torch::Tensor& z, const torch::Tensor&, const torch::Tensor&,
                                const torch::Tensor& y) {
      seen_by_student = y;
      return z;
    };
    objective.evaluate(student, trajectories, draws);
    QVERIFY(torch::equal(seen_by_student, torch::tensor({0, 10, 2, 10}, torch::kInt64)));
    // The released code's second drop.
    draws.network_label_uniforms = torch::tensor({0.01, 0.5, 0.5, 0.5});
    ConsistencyMidTraining({.num_classes = 10, .network_label_dropout = 0.1}).evaluate(student, trajectories, draws);
    QVERIFY(torch::equal(seen_by_student, torch::tensor({10, 10, 2, 10}, torch::kInt64)));
  }

  void reportsErrorsOfPairs() {
    const auto flow = gaussian(0.5);
    const auto trajectories =
        makeTrajectories(flow.velocityField(), someNoise(2), labels(2), std::vector<double>{1, 0.5, 0.1});
    Draws draws;
    draws.pair_indices = torch::tensor({0, 3, 5}, torch::kInt64);
    const FlowMap zero = [](const torch::Tensor& z, const torch::Tensor&, const torch::Tensor&, const torch::Tensor&) {
      return torch::zeros_like(z);
    };
    const auto terms = ConsistencyMidTraining({.num_classes = 10}).evaluate(zero, trajectories, draws);
    const auto targets = selectPairs(trajectories, draws.pair_indices, PairTimes::kSolver).u_tgt;
    QVERIFY(torch::allclose(terms.err_sq, targets.square().sum({1, 2, 3})));
    QVERIFY(torch::allclose(terms.loss, targets.square().mean()));
  }
};
STUDIO_TEST(TestConsistencyMidTraining)
#include "tst_consistency_mid_training.moc"
