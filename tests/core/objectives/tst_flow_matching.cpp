// SPDX-License-Identifier: Apache-2.0
#include <torch/torch.h>

#include <QTest>
#include <cmath>

#include "core/flow/gaussian_flow.h"
#include "core/flow/noise.h"
#include "core/objectives/flow_matching.h"
#include "tests/support/studio_test.h"

using namespace meanflow::core;

namespace {

constexpr std::int64_t kBatch = 20000;
const auto kDouble = torch::TensorOptions(torch::kFloat64);

FlowMatching objective(FlowMatchingOptions options = {.num_classes = 10, .label_dropout = 0}) {
  return {options, TimeSchedule::withShift(1)};
}

}  // namespace

class TestFlowMatching : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase() { torch::set_num_threads(1); }  // small tensors: more threads only wait for each other

  void isMinimisedByTheExactVelocity() {
    const GaussianFlow flow{.mean = torch::full({1, 1, 1, 1}, 0.7, kDouble), .std = 0.5};
    const auto x = flow.mean + 0.5 * noise(1, Stream::kFirstFree, 0, kBatch, {1, 2, 2}).to(torch::kFloat64);
    const auto eps = noise(2, Stream::kFirstFree, 0, kBatch, {1, 2, 2}).to(torch::kFloat64);
    const auto y = torch::zeros({kBatch}, torch::kInt64);
    for (const double time : {0.2, 0.6, 0.95}) {
      const auto t = torch::full({kBatch}, time, kDouble);
      // Scaling and offsetting the exact velocity: at (1, 0) the gradient vanishes and the loss is the variance of eps
      // - x that z_t leaves open.
      auto scale = torch::ones({}, kDouble).requires_grad_(), offset = torch::zeros({}, kDouble).requires_grad_();
      const VelocityField v = [&](const torch::Tensor& z, const torch::Tensor& at, const torch::Tensor&) {
        return scale * flow.velocity(z, at) + offset;
      };
      const auto terms = objective().evaluateAt(v, x, eps, t, y);
      terms.loss.backward();
      const double variance = (1 - time) * (1 - time) * 0.25 + time * time;
      const double covariance = time - (1 - time) * 0.25;
      const double expected = 1.25 - covariance * covariance / variance;
      QVERIFY(std::abs(terms.loss.item<double>() - expected) < 0.02 * expected);
      QVERIFY(std::abs(scale.grad().item<double>()) < 0.05 && std::abs(offset.grad().item<double>()) < 0.05);
    }
  }

  void readsTimesAndLabelsFromTheDraws() {
    Draws draws;
    draws.eps = torch::ones({2, 1, 1, 1});
    draws.time_uniforms = torch::tensor({0.0F, 0.5F});
    draws.label_uniforms = torch::tensor({0.05F, 0.5F});
    torch::Tensor seen_z, seen_t, seen_y;
    const VelocityField v = [&](const torch::Tensor& z, const torch::Tensor& t, const torch::Tensor& y) {
      seen_z = z, seen_t = t, seen_y = y;
      return torch::full_like(z, 4);
    };
    const auto terms = FlowMatching({.num_classes = 10}, TimeSchedule::withShift(3))
                           .evaluate(v, torch::full({2, 1, 1, 1}, -1.0), torch::tensor({3, 4}, torch::kInt64), draws);
    QVERIFY(torch::equal(seen_y, torch::tensor({10, 4}, torch::kInt64)));
    const double t = 3 * 0.4995 / (1 + 2 * 0.4995);
    QVERIFY(torch::allclose(seen_t, torch::tensor({0.0F, static_cast<float>(t)})));
    QVERIFY(torch::allclose(seen_z.flatten(), torch::tensor({-1.0F, static_cast<float>(2 * t - 1)})));
    QCOMPARE(terms.loss.item<float>(), 4.0F);  // the velocity is 2 everywhere, the field says 4
    QCOMPARE(terms.err_sq.sizes(), torch::IntArrayRef({2}));
  }

  void noiseAndScoreOfTheTruthCostNothing() {
    const auto x = torch::randn({4, 1, 2, 2}, kDouble), eps = torch::randn({4, 1, 2, 2}, kDouble);
    const auto t = torch::tensor({0.2, 0.4, 0.6, 0.9}, kDouble);
    const auto y = torch::zeros({4}, torch::kInt64);
    for (const auto path : {PathKind::kLinear, PathKind::kGvp, PathKind::kVp}) {
      const auto sigma = pathCoefficients(path, t).sigma;
      for (const auto weight : {LossWeight::kNone, LossWeight::kVelocity, LossWeight::kLikelihood}) {
        const auto loss = [&](Prediction prediction, const torch::Tensor& output) {
          const VelocityField v = [&](const torch::Tensor&, const torch::Tensor&, const torch::Tensor&) {
            return output;
          };
          return objective(
                     {.num_classes = 10, .label_dropout = 0, .path = path, .prediction = prediction, .weight = weight})
              .evaluateAt(v, x, eps, t, y)
              .loss.item<double>();
        };
        QVERIFY(loss(Prediction::kNoise, eps) == 0);
        QVERIFY(loss(Prediction::kScore, -eps / sigma) < 1e-24);  // rounding of a division and a product, weighted
        QVERIFY(std::isfinite(loss(Prediction::kNoise, x)) && loss(Prediction::kNoise, x) != 0);
      }
    }
  }

  void pathDerivativesAreDerivatives() {
    const auto t = torch::tensor({0.2, 0.4, 0.6, 0.9}, kDouble);
    for (const auto path : {PathKind::kLinear, PathKind::kGvp, PathKind::kVp}) {
      const auto at = pathCoefficients(path, t), ahead = pathCoefficients(path, t + 1e-6),
                 back = pathCoefficients(path, t - 1e-6);
      QVERIFY(torch::allclose(at.d_alpha, (ahead.alpha - back.alpha) / 2e-6, 1e-6, 1e-8));
      QVERIFY(torch::allclose(at.d_sigma, (ahead.sigma - back.sigma) / 2e-6, 1e-6, 1e-8));
    }
  }
};
STUDIO_TEST(TestFlowMatching)
#include "tst_flow_matching.moc"
