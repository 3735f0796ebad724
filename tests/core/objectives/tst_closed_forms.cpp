// SPDX-License-Identifier: Apache-2.0
//
// Gaussian data, where velocity and average velocity are known on paper: every objective's expected gradient vanishes
// at the right solution and not beside it, and the numerical derivatives and solvers have the errors they should.
#include <torch/torch.h>

#include <QTest>
#include <cmath>
#include <numeric>

#include "core/flow/gaussian_flow.h"
#include "core/flow/ode_solver.h"
#include "core/objectives/consistency_mid_training.h"
#include "core/objectives/flow_matching.h"
#include "core/objectives/mean_flow.h"
#include "tests/support/studio_test.h"

using namespace meanflow;
using namespace meanflow::core;

namespace {

const auto kDouble = torch::TensorOptions(torch::kFloat64);
constexpr std::int64_t kBatch = 4096, kBatches = 12;

GaussianFlow gaussian() { return {.mean = torch::full({1, 2, 1, 1}, 0.7, kDouble), .std = 0.5}; }

/// The exact solution bent by three weights; all zero is the solution itself.
struct Family {
  torch::Tensor weights = torch::zeros({3}, kDouble).requires_grad_();
  GaussianFlow flow = gaussian();

  explicit Family(double scale = 0, double offset = 0, double tilt = 0) {
    const torch::NoGradGuard no_grad;
    weights.copy_(torch::tensor({scale, offset, tilt}, kDouble));
  }
  FlowMap u() const {
    return [this](const torch::Tensor& z, const torch::Tensor& r, const torch::Tensor& t, const torch::Tensor&) {
      return (1 + weights[0]) * flow.averageVelocity(z, r, t) + weights[1] + weights[2] * likeImage(t - r);
    };
  }
  VelocityField v() const {
    return [this](const torch::Tensor& z, const torch::Tensor& t, const torch::Tensor&) {
      return (1 + weights[0]) * flow.velocity(z, t) + weights[1] + weights[2] * likeImage(t);
    };
  }
};

struct Batch {
  torch::Tensor x, y;
  Draws draws;
};
Batch batch(const DrawNeeds& needs, std::int64_t step) {
  std::vector<std::int64_t> positions(kBatch);
  std::iota(positions.begin(), positions.end(), 0);
  Batch result{.x = 0.7 + 0.5 * drawFor({}, 91, step, positions, {2, 1, 1}).eps.to(torch::kFloat64),
               .y = torch::zeros({kBatch}, torch::kInt64),
               .draws = drawFor(needs, 17, step, positions, {2, 1, 1})};
  result.draws.eps = result.draws.eps.to(torch::kFloat64);
  if (result.draws.time_uniforms.defined()) result.draws.time_uniforms = result.draws.time_uniforms.to(torch::kFloat64);
  return result;
}

/// Mean gradient over batches, in units of its own standard error: [3].
torch::Tensor standardised(const Family& family, const std::function<torch::Tensor(std::int64_t)>& loss) {
  std::vector<torch::Tensor> gradients;
  for (std::int64_t k = 0; k < kBatches; ++k) {
    family.weights.mutable_grad() = torch::Tensor();
    loss(k).backward();
    gradients.push_back(family.weights.grad().clone());
  }
  const auto all = torch::stack(gradients);
  return all.mean(0) / (all.std(0) / std::sqrt(static_cast<double>(kBatches)));
}
double largest(const torch::Tensor& values) { return values.abs().max().item<double>(); }

MeanFlow meanFlow(VelocitySource velocity, DerivativeKind derivative, double delta_t = 0.005, double adaptive_p = 0) {
  MeanFlowOptions options;
  options.num_classes = 1;
  options.label_dropout = 0;
  options.ratio_r_less_than_t = 0.75;
  options.adaptive_p = adaptive_p;
  options.derivative = {.kind = derivative, .delta_t = delta_t};
  return {options, TimeSchedule::withShift(2), std::move(velocity)};
}

/// |gradient| of one batch's loss at the exact solution.
double gradientAtSolution(const MeanFlow& objective, const Family& family = Family{}) {
  const auto b = batch(objective.needs(), 0);
  family.weights.mutable_grad() = torch::Tensor();
  objective.evaluate(family.u(), b.x, b.y, b.draws).loss.backward();
  return largest(family.weights.grad());
}

/// |gradient| of consistency mid-training over all pairs of `num_steps`-step trajectories.
double cmtGradient(const Family& family, std::int64_t num_steps) {
  const auto grid = TimeSchedule::withShift(2).grid(num_steps + 1);
  const auto eps = batch({}, 0).draws.eps.slice(0, 0, 256);
  const auto trajectories =
      makeTrajectories(family.flow.velocityField(), eps, torch::zeros({256}, torch::kInt64), grid);
  Draws draws;
  draws.pair_indices = torch::arange(trajectories.numPairs());
  family.weights.mutable_grad() = torch::Tensor();
  ConsistencyMidTraining({.num_classes = 1, .label_dropout = 0})
      .evaluate(family.u(), trajectories, draws)
      .loss.backward();
  return largest(family.weights.grad());
}

/// A bent map for derivatives: nothing about it is linear.
torch::Tensor bent(const torch::Tensor& z, const torch::Tensor& r, const torch::Tensor& t, const torch::Tensor&) {
  return torch::sin(1.7 * z + likeImage(2 * t - r)) * torch::exp(0.5 * likeImage(t)) + 0.3 * z * z;
}

/// Largest error of the central difference against the JVP in float64.
double differenceError(torch::ScalarType dtype, double delta_t) {
  std::vector<std::int64_t> positions(64);
  std::iota(positions.begin(), positions.end(), 0);
  const auto z_t = drawFor({}, 5, 0, positions, {2, 3, 3}).eps.to(torch::kFloat64),
             w = drawFor({}, 6, 0, positions, {2, 3, 3}).eps.to(torch::kFloat64);
  const auto t = torch::linspace(0.4, 0.8, 64, kDouble);
  const TransportPoint at{
      .z_t = z_t, .w = w, .r = 0.3 * t, .t = t, .y = torch::zeros({64}, torch::kInt64), .y_plus = {}, .y_minus = {}};
  const auto exact = transportDerivative(bent, at, {.kind = DerivativeKind::kJvp});
  const TransportPoint cast{.z_t = z_t.to(dtype),
                            .w = w.to(dtype),
                            .r = at.r.to(dtype),
                            .t = t.to(dtype),
                            .y = at.y,
                            .y_plus = {},
                            .y_minus = {}};
  const auto difference = transportDerivative(bent, cast, {.delta_t = delta_t, .clamp_times = false});
  return largest(difference.to(torch::kFloat64) - exact);
}

}  // namespace

class TestClosedForms : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase() { torch::set_num_threads(1); }  // small tensors: more threads only wait for each other

  // Five standard errors: three gradients and a handful of rows stay inside with near certainty; the seeds are fixed
  // anyway.
  void expectedGradientVanishesAtTheRightSolutionAlone_data() {
    QTest::addColumn<QString>("objective");
    for (const char* name : {"flow matching", "MFT, JVP", "MFT, finite difference", "half teacher, half data"})
      QTest::newRow(name) << QString(name);
  }
  void expectedGradientVanishesAtTheRightSolutionAlone() {
    QFETCH(QString, objective);
    const auto deviation = [&](const Family& family) {
      const FlowMatching flow_matching({.num_classes = 1, .label_dropout = 0}, TimeSchedule::withShift(2));
      const auto mean_flow =
          objective.startsWith("MFT")
              ? meanFlow(VelocitySource::data(),
                         objective.endsWith("JVP") ? DerivativeKind::kJvp : DerivativeKind::kFiniteDifference)
              : meanFlow(VelocitySource::mix(0.5, VelocitySource::teacher(family.flow.velocityField())),
                         DerivativeKind::kJvp);
      return standardised(family, [&](std::int64_t k) {
        if (objective == "flow matching") {
          const auto b = batch(flow_matching.needs(), k);
          return flow_matching.evaluate(family.v(), b.x, b.y, b.draws).loss;
        }
        const auto b = batch(mean_flow.needs(), k);
        return mean_flow.evaluate(family.u(), b.x, b.y, b.draws).loss;
      });
    };
    const auto at_solution = deviation(Family{});
    QVERIFY2(largest(at_solution) < 5, qPrintable(QString::number(largest(at_solution))));
    for (const auto& beside : {Family(0.1, 0, 0), Family(0, 0.1, 0), Family(0, 0, 0.1)}) {
      const auto away = deviation(beside);
      QVERIFY2(largest(away) > 20, qPrintable(QString::number(largest(away))));
    }
  }

  void distillationFromTheExactTeacherHasNoGradientAtTheSolution() {
    const auto teacher = [] { return VelocitySource::teacher(gaussian().velocityField()); };
    for (const double adaptive_p : {0.0, 1.0}) {
      QVERIFY(gradientAtSolution(meanFlow(teacher(), DerivativeKind::kJvp, 0.005, adaptive_p)) < 1e-11);
      QVERIFY(gradientAtSolution(meanFlow(teacher(), DerivativeKind::kJvp, 0.005, adaptive_p), Family(0.1, 0, 0)) >
              1e-3);
    }
    // The finite difference's solution is off by O(delta^2).
    const auto offBy = [&](double delta_t) {
      auto objective = meanFlow(teacher(), DerivativeKind::kFiniteDifference, delta_t);
      return gradientAtSolution(objective);
    };
    const double coarse = offBy(0.02), fine = offBy(0.01);
    QVERIFY2(coarse / fine > 2 && coarse / fine < 5,
             qPrintable(QString::number(coarse / fine)));  // one-sided at the clamped ends
    QVERIFY(fine <
            1e-2 * gradientAtSolution(meanFlow(teacher(), DerivativeKind::kFiniteDifference, 0.01), Family(0.1, 0, 0)));
  }

  void midTrainingsGradientFallsWithTheTeachersStepsAtTheSolutionAlone() {
    const double coarse = cmtGradient(Family{}, 32), fine = cmtGradient(Family{}, 64);
    QVERIFY2(coarse / fine > 1.7 && coarse / fine < 2.3,
             qPrintable(QString::number(coarse / fine)));  // Euler: first order
    for (const auto& beside : {Family(0.1, 0, 0), Family(0, 0.1, 0), Family(0, 0, 0.1)})
      QVERIFY(cmtGradient(beside, 64) > 3 * fine);
  }

  void aMixtureCarriesTheSquaredShareOfTheDataNoise() {
    // At the solution with the exact teacher, the residual is (1 - eta) A (v_hat - v*): nothing else is left.
    const auto errors = [&](double eta) {
      const auto objective =
          meanFlow(VelocitySource::mix(eta, VelocitySource::teacher(gaussian().velocityField())), DerivativeKind::kJvp);
      const auto b = batch(objective.needs(), 0);
      return objective.evaluate(gaussian().flowMap(), b.x, b.y, b.draws).err_sq;
    };
    const auto data = errors(0);
    for (const double eta : {0.25, 0.5, 0.9})
      QVERIFY(torch::allclose(errors(eta), (1 - eta) * (1 - eta) * data, 1e-9, 1e-12));
    QVERIFY(largest(errors(1)) < 1e-20);
  }

  void solversConvergeToTheExactTransport() {
    const auto flow = gaussian();
    const auto z = batch({}, 0).draws.eps.slice(0, 0, 32);
    const auto y = torch::zeros({32}, torch::kInt64);
    const auto error = [&](OdeMethod method, std::int64_t num_steps) {
      const auto times = TimeSchedule::withShift(2).grid(num_steps + 1);
      const auto at = [&](double time) { return torch::full({32}, time, kDouble); };
      return largest(solveOde(flow.velocityField(), z, y, times, {.method = method}).final() -
                     flow.transport(z, at(times.back()), at(times.front())));
    };
    // Steps enough that the leading term alone is left: with fewer, Heun's terms of second and third order cancel in
    // part.
    const auto order = [&](OdeMethod method) { return std::log2(error(method, 512) / error(method, 1024)); };
    QVERIFY2(std::abs(order(OdeMethod::kEuler) - 1) < 0.15, qPrintable(QString::number(order(OdeMethod::kEuler))));
    QVERIFY2(std::abs(order(OdeMethod::kHeun2) - 2) < 0.15, qPrintable(QString::number(order(OdeMethod::kHeun2))));
  }

  void finiteDifferenceMeetsTheJvpUntilRoundingTakesOver() {
    // float64: the error is delta^2 over three decades.
    for (const double delta : {0.1, 0.01}) {
      const double ratio = differenceError(torch::kFloat64, delta) / differenceError(torch::kFloat64, delta / 10);
      QVERIFY2(ratio > 80 && ratio < 120, qPrintable(QString::number(ratio)));
    }
    // float32: the same at first; below delta ~ 3e-3 rounding over delta is larger, and grows as delta falls.
    QVERIFY(differenceError(torch::kFloat32, 0.1) / differenceError(torch::kFloat32, 0.03) > 8);
    const double best = differenceError(torch::kFloat32, 0.005), small = differenceError(torch::kFloat32, 1e-4),
                 tiny = differenceError(torch::kFloat32, 1e-5);
    QVERIFY2(small > 2 * best, qPrintable(QStringLiteral("%1 %2").arg(best).arg(small)));
    QVERIFY2(tiny > 3 * small && tiny < 30 * small, qPrintable(QStringLiteral("%1 %2").arg(small).arg(tiny)));
    QVERIFY(small > 100 * differenceError(torch::kFloat64, 1e-4));
  }
};
STUDIO_TEST(TestClosedForms)
#include "tst_closed_forms.moc"
