// SPDX-License-Identifier: Apache-2.0
#include <torch/torch.h>

#include <QTest>
#include <cmath>
#include <memory>

#include "core/flow/gaussian_flow.h"
#include "core/flow/guidance.h"
#include "core/flow/mean_flow_sampler.h"
#include "core/flow/noise.h"
#include "core/flow/ode_solver.h"
#include "core/flow/sde_solver.h"
#include "tests/support/studio_test.h"

using namespace meanflow;
using namespace meanflow::core;

namespace {

const auto kDouble = torch::TensorOptions(torch::kFloat64);

GaussianFlow gaussian(double std) {
  return {.mean = torch::tensor({0.7, -1.2}, kDouble).view({1, 2, 1, 1}), .std = std};
}
torch::Tensor someNoise(std::int64_t num = 4) {
  return noise(1, Stream::kSampleNoise, 0, num, {2, 3, 3}).to(torch::kFloat64);
}
torch::Tensor labels(std::int64_t num) { return torch::zeros({num}, torch::kInt64); }
torch::Tensor times(std::int64_t num, double t) { return torch::full({num}, t, kDouble); }
double maxError(const torch::Tensor& a, const torch::Tensor& b) { return (a - b).abs().max().item<double>(); }

std::vector<double> uniformGrid(int steps, double end) {
  std::vector<double> grid;
  for (int k = 0; k <= steps; ++k) grid.push_back(1 - (1 - end) * k / steps);
  return grid;
}

/// Without any symmetry that would make a method better than its order.
torch::Tensor bentVelocity(const torch::Tensor& z, const torch::Tensor& t, const torch::Tensor&) {
  return torch::sin(2 * z) * likeImage(torch::cos(4 * t)) + 0.3 * torch::cos(z) * likeImage(torch::exp(t));
}

double errorOf(OdeMethod method, int steps) {
  const auto end = [](OdeMethod with, int num) {
    return solveOde(bentVelocity, someNoise(), labels(4), uniformGrid(num, 0), {.method = with}).final();
  };
  return maxError(end(method, steps), end(OdeMethod::kRk4, 1024));
}

/// v = label + 1, whatever the state; counts calls and rows.
struct Counting {
  std::shared_ptr<int> calls = std::make_shared<int>(0);
  torch::Tensor operator()(const torch::Tensor& z, const torch::Tensor&, const torch::Tensor& y) const {
    ++*calls;
    return torch::ones_like(z) * likeImage((y + 1).to(z.options()));
  }
};

}  // namespace

class TestSolvers : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase() { torch::set_num_threads(1); }  // small tensors: more threads only wait for each other

  void gaussianFlowAgreesWithItself() {
    const auto flow = gaussian(0.5);
    const auto z = someNoise();
    const auto t = torch::tensor({0.9, 0.5, 0.2, 0.7}, kDouble), r = torch::tensor({0.1, 0.4, 0.0, 0.7}, kDouble);
    // u is the displacement over the interval, and v the time derivative of the transport.
    const auto moved = z - likeImage(t - r) * flow.averageVelocity(z, r, t);
    QVERIFY(maxError(moved, flow.transport(z, r, t)) < 1e-14);
    const double h = 1e-5;
    const auto slope = (flow.transport(z, t + h, t) - flow.transport(z, t - h, t)) / (2 * h);
    QVERIFY(maxError(flow.velocity(z, t), slope) < 1e-8);
    // Pure noise ends up distributed like the data.
    const auto x = flow.transport(someNoise(1500), times(1500, 0), times(1500, 1)).select(1, 0);
    QVERIFY(std::abs(x.mean().item<double>() - 0.7) < 0.03 && std::abs(x.std().item<double>() - 0.5) < 0.03);
  }

  void convergesWithTheMethodsOrder_data() {
    QTest::addColumn<int>("method");
    QTest::addColumn<int>("order");
    QTest::newRow("euler") << int(OdeMethod::kEuler) << 1;
    QTest::newRow("midpoint") << int(OdeMethod::kMidpoint) << 2;
    QTest::newRow("heun2") << int(OdeMethod::kHeun2) << 2;
    QTest::newRow("heun3") << int(OdeMethod::kHeun3) << 3;
    QTest::newRow("rk4") << int(OdeMethod::kRk4) << 4;
  }
  void convergesWithTheMethodsOrder() {
    QFETCH(int, method);
    QFETCH(int, order);
    const double measured = std::log2(errorOf(OdeMethod(method), 64) / errorOf(OdeMethod(method), 128));
    QVERIFY2(std::abs(measured - order) < 0.2, qPrintable(QString::number(measured)));
  }

  void adaptiveMethodsHitTheGridPoints() {
    const auto flow = gaussian(0.5);
    const auto z = someNoise();
    const std::vector<double> grid = {1, 0.83, 0.5, 0.21, 0};
    const auto solve = [&](OdeMethod method) {
      return solveOde(flow.velocityField(), z, labels(4), grid, {.method = method, .atol = 1e-8, .rtol = 1e-7});
    };
    const auto dopri5 = solve(OdeMethod::kDopri5), bosh3 = solve(OdeMethod::kBosh3);
    QCOMPARE(dopri5.states.size(), grid.size());
    for (std::size_t k = 0; k < grid.size(); ++k) {
      const auto expected = flow.transport(z, times(4, grid[k]), times(4, 1));
      QVERIFY2(maxError(dopri5.states[k], expected) < 1e-5,
               qPrintable(QString::number(maxError(dopri5.states[k], expected))));
      // torchdiffeq's mid-point weights for bosh3 make its dense output second order only.
      QVERIFY2(maxError(bosh3.states[k], expected) < 1e-3,
               qPrintable(QString::number(maxError(bosh3.states[k], expected))));
    }
    // Looser tolerances cost less.
    const auto nfe = [&](double rtol) {
      return solveOde(flow.velocityField(), z, labels(4), grid,
                      {.method = OdeMethod::kDopri5, .atol = rtol, .rtol = rtol})
          .nfe;
    };
    QVERIFY(nfe(1e-3) < nfe(1e-8));
  }

  void countsEvaluationsAndKeepsWhatIsAskedFor() {
    const auto flow = gaussian(0.5);
    const auto z = someNoise();
    const auto all = solveOde(flow.velocityField(), z, labels(4), uniformGrid(9, 0.1));
    QCOMPARE(all.nfe, std::int64_t{9});
    QCOMPARE(all.states.size(), std::size_t{10});
    const auto last = solveOde(flow.velocityField(), z, labels(4), uniformGrid(9, 0.1), {.keep_states = false});
    QCOMPARE(last.states.size(), std::size_t{1});
    QVERIFY(torch::equal(last.final(), all.final()));
    QCOMPARE(solveOde(flow.velocityField(), z, labels(4), uniformGrid(9, 0.1), {.method = OdeMethod::kHeun2}).nfe,
             std::int64_t{18});
    QVERIFY_EXCEPTION_THROWN(odeMethodFromName("heun"), c10::Error);
  }

  void straightPathIsExactInOneStep() {
    const auto flow = gaussian(0);  // every path ends in the mean
    const auto z = someNoise();
    const std::vector<double> one_step = {1, 0};
    const auto end = flow.mean.expand_as(z);
    QVERIFY(maxError(solveOde(flow.velocityField(), z, labels(4), one_step).final(), end) < 1e-14);
    QVERIFY(maxError(sampleMeanFlow(flow.flowMap(), z, labels(4), 1), end) < 1e-14);
  }

  void exactFlowMapSamplesTheSameInAnyNumberOfSteps() {
    const auto flow = gaussian(0.5);
    const auto z = someNoise();
    const auto expected = flow.transport(z, times(4, 0), times(4, 1));
    for (const int num_steps : {1, 2, 3, 7})
      QVERIFY(maxError(sampleMeanFlow(flow.flowMap(), z, labels(4), num_steps), expected) < 1e-13);
  }

  void manyStepsAreTheCompositionOfSingleOnes() {
    const FlowMap u = [](const torch::Tensor& z, const torch::Tensor& r, const torch::Tensor& t, const torch::Tensor&) {
      return torch::sin(z) * likeImage(t + 2 * r);
    };
    auto z = someNoise();
    const std::vector<double> knots = {1, 0.8, 0.3, 0};
    const auto together = sampleMeanFlow(u, z, labels(4), knots);
    for (std::size_t k = 0; k + 1 < knots.size(); ++k)
      z = sampleMeanFlow(u, z, labels(4), std::vector<double>{knots[k], knots[k + 1]});
    QVERIFY(torch::equal(together, z));
    QVERIFY((uniformKnots(4) == std::vector<double>{1, 0.75, 0.5, 0.25, 0}));
    QVERIFY_EXCEPTION_THROWN(sampleMeanFlow(u, z, labels(4), std::vector<double>{0.5, 0.6}), c10::Error);
  }

  void truncatesToBytes() {
    const auto image = torch::tensor({-0.5, 0.0, 0.5, 0.999, 1.0, 1.2}, kDouble).view({1, 1, 2, 3});
    const auto bytes = toUint8(image);
    QCOMPARE(bytes.dim(), std::int64_t{4});
    QVERIFY(torch::equal(bytes.flatten(), torch::tensor({0, 0, 127, 254, 255, 255}, torch::kUInt8)));
  }

  void guidanceIsActiveOnBothEndsOfItsInterval() {
    const Counting field;
    const auto t = torch::tensor({0.29, 0.3, 0.6, 0.9, 0.91}, kDouble);
    const auto z = torch::zeros({5, 1, 1, 1}, kDouble);
    const auto guided = classifierFreeGuidance(field, {.scale = 3, .t_min = 0.3, .t_max = 0.9}, 10);
    // v_c = 1, v_u = 11: 11 + 3 (1 - 11) = -19.
    const auto expected = torch::tensor({1.0, -19.0, -19.0, -19.0, 1.0}, kDouble);
    QVERIFY(torch::equal(guided(z, t, labels(5)).flatten(), expected));
    QCOMPARE(*field.calls, 1);  // both halves in one call
    const VelocityField weak = [](const torch::Tensor& state, const torch::Tensor&, const torch::Tensor&) {
      return torch::full_like(state, 11);
    };
    const auto auto_guided = autoGuidance(field, weak, {.scale = 3, .t_min = 0.3, .t_max = 0.9});
    QVERIFY(torch::equal(auto_guided(z, t, labels(5)).flatten(), expected));
  }

  void guidanceOfScaleOneAddsNoWork() {
    const Counting field;
    std::int64_t rows = 0;
    const VelocityField counted = [&](const torch::Tensor& z, const torch::Tensor& t, const torch::Tensor& y) {
      rows += z.size(0);
      return field(z, t, y);
    };
    const auto z = torch::zeros({5, 1, 1, 1}, kDouble);
    classifierFreeGuidance(counted, {.scale = 1}, 10)(z, times(5, 0.5), labels(5));
    QCOMPARE(rows, std::int64_t{5});
    classifierFreeGuidance(counted, {.scale = 2, .t_min = 0.6, .t_max = 1}, 10)(z, times(5, 0.5), labels(5));
    QCOMPARE(rows, std::int64_t{10});  // nothing active
    classifierFreeGuidance(counted, {.scale = 2}, 10)(z, times(5, 0.5), labels(5));
    QCOMPARE(rows, std::int64_t{20});
    const auto mixed = torch::tensor({0.1, 0.7, 0.2, 0.8, 0.3}, kDouble);
    classifierFreeGuidance(counted, {.scale = 2, .t_min = 0.6, .t_max = 1}, 10)(z, mixed, labels(5));
    QCOMPARE(rows, std::int64_t{27});  // five, and two a second time
    QVERIFY_EXCEPTION_THROWN(classifierFreeGuidance(counted, {.scale = 2, .t_min = 0.5, .t_max = 0.5}, 10), c10::Error);
  }

  void sdeWithoutDiffusionIsTheOde() {
    const auto flow = gaussian(0.5);
    const auto z = someNoise();
    const auto schedule = TimeSchedule::withShift(2);
    const auto zero = [&](std::int64_t) { return torch::zeros_like(z); };
    const auto ode = solveOde(flow.velocityField(), z, labels(4), schedule.grid(20, 0)).final();
    const auto sde = solveSde(flow.velocityField(), z, labels(4), schedule,
                              {.diffusion_norm = 0, .last_step = SdeLastStep::kNone, .num_steps = 20}, zero);
    QVERIFY(maxError(ode, sde) < 1e-13);
  }

  void sdeEndsInTheDataDistribution() {
    const auto flow = gaussian(0.5);
    const auto z = someNoise(1000);
    const auto normals = [&](std::int64_t k) {
      return noise(2, Stream::kSdeNoise, static_cast<std::uint64_t>(k) << 32, 1000, {2, 3, 3}).to(torch::kFloat64);
    };
    for (const auto method : {SdeMethod::kEuler, SdeMethod::kHeun}) {
      const auto x =
          solveSde(flow.velocityField(), z, labels(1000), TimeSchedule::withShift(1),
                   {.method = method, .diffusion = DiffusionForm::kSigma, .last_step_size = 0.01, .num_steps = 100},
                   normals)
              .select(1, 1);
      QVERIFY2(std::abs(x.mean().item<double>() + 1.2) < 0.02, qPrintable(QString::number(x.mean().item<double>())));
      QVERIFY2(std::abs(x.std().item<double>() - 0.5) < 0.02, qPrintable(QString::number(x.std().item<double>())));
    }
    QVERIFY_EXCEPTION_THROWN(diffusionFormFromName("SBDM"), c10::Error);
    QVERIFY_EXCEPTION_THROWN(sdeLastStepFromName("Tweedie"), c10::Error);
  }
};
STUDIO_TEST(TestSolvers)
#include "tst_solvers.moc"
