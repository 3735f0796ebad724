// SPDX-License-Identifier: Apache-2.0
#include <torch/torch.h>

#include <QTest>
#include <cmath>
#include <memory>
#include <numeric>
#include <stop_token>
#include <thread>

#include "core/flow/gaussian_flow.h"
#include "core/flow/path.h"
#include "core/nn/attention.h"
#include "core/objectives/flow_matching.h"
#include "core/objectives/mean_flow.h"
#include "tests/support/studio_test.h"

using namespace meanflow;
using namespace meanflow::core;

namespace {

const auto kDouble = torch::TensorOptions(torch::kFloat64);
constexpr std::int64_t kBatch = 16;

GaussianFlow gaussian() { return {.mean = torch::full({1, 2, 1, 1}, 0.7, kDouble), .std = 0.5}; }

/// A map with nothing but attention between the pixels of z, more of them than are worth plain products.
torch::Tensor attention(const torch::Tensor& z, const torch::Tensor&, const torch::Tensor& t, const torch::Tensor&) {
  const auto tokens = (z * likeImage(t)).flatten(2).transpose(1, 2).unsqueeze(1);  // [B, 1, 36, 2]
  return attend(tokens, tokens, tokens).transpose(1, 2).reshape(z.sizes());
}

TransportPoint pointOfTokens() {
  const auto t = torch::tensor({0.4, 0.7}, kDouble);
  return {.z_t = torch::randn({2, 2, 6, 6}, kDouble),
          .w = torch::randn({2, 2, 6, 6}, kDouble),
          .r = 0.2 * t,
          .t = t,
          .y = torch::zeros({2}, torch::kInt64),
          .y_plus = {},
          .y_minus = {}};
}

/// A smooth network-like u(z, r, t, y) with one weight.
struct TinyNet {
  torch::Tensor weight = torch::tensor({{0.6, -0.3}, {0.2, 0.9}}, kDouble).requires_grad_();
  torch::Tensor operator()(const torch::Tensor& z, const torch::Tensor& r, const torch::Tensor& t,
                           const torch::Tensor& y) const {
    const auto mixed = torch::einsum("ij,bjhw->bihw", {weight, z});
    return torch::tanh(mixed + likeImage(torch::sin(3 * t) - r * t)) + 0.1 * likeImage(y.to(z.options()) * t);
  }
};

struct Batch {
  torch::Tensor x, y;
  Draws draws;
};
Batch batch(const DrawNeeds& needs) {
  std::vector<std::int64_t> positions(kBatch);
  std::iota(positions.begin(), positions.end(), 0);
  Batch result{.x = 0.7 + 0.5 * drawFor({}, 9, 0, positions, {2, 3, 3}).eps.to(torch::kFloat64),
               .y = torch::arange(kBatch).remainder(10),
               .draws = drawFor(needs, 4, 0, positions, {2, 3, 3})};
  result.draws.eps = result.draws.eps.to(torch::kFloat64);
  return result;
}

MeanFlowOptions options(MeanFlowOptions from = {}) {
  from.num_classes = 10;
  from.ratio_r_less_than_t = 0.5;
  return from;
}
MeanFlow objective(const MeanFlowOptions& with, VelocitySource velocity = VelocitySource::data()) {
  return {with, TimeSchedule::withShift(2), std::move(velocity)};
}
double maxError(const torch::Tensor& a, const torch::Tensor& b) { return (a - b).abs().max().item<double>(); }

/// u records the labels, r and t of each of its calls.
struct Recording {
  struct Call {
    torch::Tensor r, t, y;
  };
  std::shared_ptr<std::vector<Call>> calls = std::make_shared<std::vector<Call>>();
  torch::Tensor operator()(const torch::Tensor& z, const torch::Tensor& r, const torch::Tensor& t,
                           const torch::Tensor& y) const {
    calls->push_back({r, t, y});
    return z;
  }
};

}  // namespace

class TestMeanFlow : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase() { torch::set_num_threads(1); }  // small tensors: more threads only wait for each other

  void exactFlowMapHasNoResidualWithTheJvp() {
    const auto flow = gaussian();
    auto with = options();
    with.derivative.kind = DerivativeKind::kJvp;
    const auto mean_flow = objective(with, VelocitySource::teacher(flow.velocityField()));
    const auto b = batch(mean_flow.needs());
    const auto terms = mean_flow.evaluate(flow.flowMap(), b.x, b.y, b.draws);
    QVERIFY((terms.r < terms.t).any().item<bool>());
    QVERIFY2(terms.err_sq.max().item<double>() < 1e-22, qPrintable(QString::number(terms.err_sq.max().item<double>())));
  }

  void finiteDifferenceHasAnErrorOfSecondOrder() {
    const auto flow = gaussian();
    const auto t = torch::linspace(0.4, 0.8, kBatch, kDouble), r = 0.3 * t;
    const auto z_t = torch::randn({kBatch, 2, 3, 3}, kDouble);
    const TransportPoint at{.z_t = z_t,
                            .w = flow.velocity(z_t, t),
                            .r = r,
                            .t = t,
                            .y = torch::zeros({kBatch}, torch::kInt64),
                            .y_plus = {},
                            .y_minus = {}};
    const auto exact = transportDerivative(flow.flowMap(), at, {.kind = DerivativeKind::kJvp});
    const auto error = [&](double delta_t) {
      return maxError(transportDerivative(flow.flowMap(), at, {.delta_t = delta_t}), exact);
    };
    const double ratio = error(0.02) / error(0.01);
    QVERIFY2(std::abs(ratio - 4) < 0.1, qPrintable(QString::number(ratio)));
    // The identity itself: d/dt [(t - r) u] = v, hence du/dt = (v - u) / (t - r).
    const auto expected = (at.w - flow.averageVelocity(z_t, r, t)) / likeImage(t - r);
    QVERIFY(maxError(exact, expected) < 1e-12);
  }

  void doesTheFullFormulationWithLessWork() {
    const TinyNet net;
    for (const bool is_squared : {false, true}) {
      auto with = options({.label_dropout = 0.3, .adaptive_squared = is_squared, .network_label_dropout = 0.3});
      with.derivative.clamp_times = false;
      const auto mean_flow = objective(with);
      const auto b = batch(mean_flow.needs());
      net.weight.mutable_grad() = torch::Tensor();
      const auto terms = mean_flow.evaluate(net, b.x, b.y, b.draws);
      terms.loss.backward();
      const auto gradient = net.weight.grad().clone();

      // One forward of the tripled batch, everything inside the graph, as the released code writes it.
      net.weight.mutable_grad() = torch::Tensor();
      const auto pairs =
          TimeSchedule::withShift(2).pairsFromUniforms(b.draws.time_uniforms, b.draws.mask_uniforms, 0.5);
      const auto r = pairs.r.to(kDouble), t = pairs.t.to(kDouble);
      const auto y = dropLabels(dropLabels(b.y, b.draws.label_uniforms, 0.3, 10).repeat({3}),
                                b.draws.network_label_uniforms, 0.3, 10);
      const auto z_t = interpolate(b.x, b.draws.eps, t);
      const auto w = b.draws.eps - b.x;
      const double delta = 0.005;
      const auto all = net(torch::cat({z_t, z_t + delta * w, z_t - delta * w}), r.repeat({3}),
                           torch::cat({t, t + delta, t - delta}), y)
                           .chunk(3);
      const auto target = (w - likeImage(t - r) * (all[1] - all[2]) / (2 * delta)).detach();
      const auto err_sq = (all[0] - target).square().sum({1, 2, 3});
      const auto error = is_squared ? err_sq.square() : err_sq;
      const auto loss = (error / (error.detach() + 1e-3)).mean();
      loss.backward();
      QVERIFY(maxError(terms.err_sq, err_sq) < 1e-9);
      QVERIFY(maxError(terms.loss, loss) < 1e-12);
      QVERIFY(maxError(gradient, net.weight.grad()) < 1e-11);
    }
  }

  void reducesToFlowMatchingWhenREqualsT() {
    const TinyNet net;
    MeanFlowOptions with{.num_classes = 10, .ratio_r_less_than_t = 0, .adaptive_p = 0};
    const auto mean_flow = objective(with);
    auto b = batch(mean_flow.needs());
    const auto terms = mean_flow.evaluate(net, b.x, b.y, b.draws);
    QVERIFY(torch::equal(terms.r, terms.t));
    const VelocityField v = [&](const torch::Tensor& z, const torch::Tensor& t, const torch::Tensor& y) {
      return net(z, t, t, y);
    };
    const auto expected =
        FlowMatching({.num_classes = 10}, TimeSchedule::withShift(2))
            .evaluateAt(v, b.x, b.draws.eps, terms.t, dropLabels(b.y, b.draws.label_uniforms, 0.1, 10));
    QVERIFY(maxError(terms.err_sq, expected.err_sq) < 1e-12);
    QVERIFY(maxError(terms.loss, expected.loss * 18) < 1e-12);
    QVERIFY(maxError(terms.scalars.front().second, expected.loss) < 1e-13);
    const Recording recording;
    mean_flow.evaluate(recording, b.x, b.y, b.draws);
    QCOMPARE(recording.calls->size(), std::size_t{1});  // nothing shifted is evaluated
  }

  void clampedTimesStayInsideTheInterval() {
    const auto t = torch::tensor({0.999, 0.5, 0.5, 1.0, 1.0}, kDouble),
               r = torch::tensor({0.998, 0.499, 0.1, 0.2, 1.0}, kDouble);
    const auto z_t = torch::randn({5, 2, 3, 3}, kDouble), w = torch::randn({5, 2, 3, 3}, kDouble);
    const TransportPoint at{
        .z_t = z_t, .w = w, .r = r, .t = t, .y = torch::zeros({5}, torch::kInt64), .y_plus = {}, .y_minus = {}};
    // Linear in z and t: a one-sided difference is exact, too.
    const FlowMap linear = [](const torch::Tensor& z, const torch::Tensor&, const torch::Tensor& time,
                              const torch::Tensor&) { return 2 * z + likeImage(3 * time); };
    const auto expected = 2 * w + 3;
    const auto clamped = transportDerivative(linear, at, {.clamp_times = true});
    QVERIFY(maxError(clamped.slice(0, 0, 4), expected.slice(0, 0, 4)) < 1e-9);
    QCOMPARE(clamped[4].abs().max().item<double>(), 0.0);  // an interval of no length at the end of the schedule
    QVERIFY(maxError(transportDerivative(linear, at, {.clamp_times = false}), expected) < 1e-9);

    const auto extremes = [&](bool clamp_times) {
      const Recording recording;
      transportDerivative(recording, at, {.clamp_times = clamp_times});
      const auto& call = recording.calls->front();
      return std::pair{call.t.max().item<double>(), (call.t - call.r).min().item<double>()};
    };
    QVERIFY(extremes(true).first <= 1 && extremes(true).second >= 0);
    QVERIFY(extremes(false).first > 1 && extremes(false).second < 0);
  }

  void weightsLargeErrorsDown() {
    const TinyNet net;
    const auto gradient = [&](const MeanFlowOptions& with) {
      const auto mean_flow = objective(with);
      const auto b = batch(mean_flow.needs());
      net.weight.mutable_grad() = torch::Tensor();
      const auto terms = mean_flow.evaluate(net, b.x, b.y, b.draws);
      terms.loss.backward();
      return std::pair{terms, net.weight.grad().clone()};
    };
    const auto plain = gradient(options({.adaptive_p = 1, .adaptive_c = 0}));
    const auto squared = gradient(options({.adaptive_p = 1, .adaptive_c = 0, .adaptive_squared = true}));
    QVERIFY(std::abs(plain.first.loss.item<double>() - 1) < 1e-12);  // L / sg(L)
    QVERIFY(maxError(squared.second, 2 * plain.second) < 1e-10);     // d L^2 / L^2 = 2 dL / L
    const auto half = gradient(options({.adaptive_p = 0.5, .adaptive_c = 0.5}));
    QVERIFY(maxError(half.first.loss, (half.first.err_sq / (half.first.err_sq + 0.5).sqrt()).mean()) < 1e-12);
  }

  void velocitySourcesMixLinearly() {
    const TinyNet net;
    const auto x = torch::randn({3, 2, 3, 3}, kDouble), eps = torch::randn({3, 2, 3, 3}, kDouble),
               z_t = torch::randn({3, 2, 3, 3}, kDouble);
    const auto t = torch::tensor({0.2, 0.5, 0.9}, kDouble);
    const auto y = torch::arange(3);
    const auto at = [&](const VelocitySource& source) { return source.at(net, z_t, t, y, x, eps); };
    const VelocityField teacher = [](const torch::Tensor& z, const torch::Tensor&, const torch::Tensor&) {
      return 3 * z;
    };
    QVERIFY(torch::equal(at(VelocitySource::data()), eps - x));
    QVERIFY(torch::equal(at(VelocitySource::teacher(teacher)), 3 * z_t));
    const auto own = at(VelocitySource::self());
    QVERIFY(maxError(own, net(z_t, t, t, y)) == 0 && !own.requires_grad());
    QVERIFY(maxError(at(VelocitySource::mix(0.25, VelocitySource::self())), 0.75 * (eps - x) + 0.25 * own) < 1e-14);
    base::MeanFlowConfig config;
    config.velocity = "mix";
    config.eta = 0.4;
    QVERIFY(VelocitySource::needsTeacher(config));
    QVERIFY(maxError(at(VelocitySource::fromConfig(config, teacher)), 0.6 * (eps - x) + 1.2 * z_t) < 1e-14);
    QVERIFY_EXCEPTION_THROWN(VelocitySource::fromConfig(config, {}), c10::Error);
    config.mix_with = "self";
    QVERIFY(!VelocitySource::needsTeacher(config));
  }

  void sharesOneLabelDropUnlessToldOtherwise() {
    const auto labelsOfCalls = [](double network_label_dropout) {
      auto with = options({.label_dropout = 0.5, .network_label_dropout = network_label_dropout});
      with.ratio_r_less_than_t = 1;
      const auto mean_flow = objective(with);
      const auto b = batch(mean_flow.needs());
      const Recording recording;
      mean_flow.evaluate(recording, b.x, b.y, b.draws);
      const auto shifted = recording.calls->at(0).y.chunk(2);
      return std::array{recording.calls->at(1).y, shifted[0], shifted[1]};
    };
    const auto shared = labelsOfCalls(0);
    QVERIFY((shared[0] == 10).any().item<bool>() && (shared[0] != 10).any().item<bool>());
    QVERIFY(torch::equal(shared[0], shared[1]) && torch::equal(shared[0], shared[2]));
    const auto independent = labelsOfCalls(0.5);
    QVERIFY(!torch::equal(independent[0], independent[1]) && !torch::equal(independent[1], independent[2]));
  }

  void jvpWorksThroughFusedAttentionAlsoOnSeveralThreads() {
    const auto at = pointOfTokens();
    const auto exact = transportDerivative(attention, at, {.kind = DerivativeKind::kJvp});
    const auto approximate = transportDerivative(attention, at, {.delta_t = 1e-4});
    QVERIFY(exact.abs().max().item<double>() > 0.1);
    QVERIFY(maxError(exact, approximate) < 1e-6);

    // Workers are threads of one process and LibTorch has one forward-mode level.
    std::array<double, 2> errors = {1, 1};
    std::vector<std::jthread> workers;
    for (auto& error : errors)
      workers.emplace_back([&error, &at, &exact] {
        error = 0;
        for (int k = 0; k < 20; ++k)
          error = std::max(error, maxError(transportDerivative(attention, at, {.kind = DerivativeKind::kJvp}), exact));
      });
    workers.clear();
    QVERIFY(errors[0] < 1e-12 && errors[1] < 1e-12);
  }

  // One rank's JVP falls together with another's forward pass whenever it likes: the other's last digits may not
  // follow.
  void aJvpLeavesTheAttentionOfOtherThreadsAsItIs() {
    const auto tokens = torch::randn({2, 2, 64, 8});
    const auto alone = attend(tokens, tokens, tokens);
    std::jthread other([at = pointOfTokens()](const std::stop_token& stop) {
      while (!stop.stop_requested()) transportDerivative(attention, at, {.kind = DerivativeKind::kJvp});
    });
    int num_different = 0;
    for (int k = 0; k < 500; ++k) num_different += torch::equal(attend(tokens, tokens, tokens), alone) ? 0 : 1;
    other.request_stop();
    other.join();
    QCOMPARE(num_different, 0);
  }

  void followsTheConfiguration() {
    base::MeanFlowConfig config;
    config.derivative = "jvp";
    config.label_drop = "independent";
    config.label_dropout = 0.2;
    config.adaptive_squared = true;
    config.clamp_times = false;
    const auto with = meanFlowOptions(config, 6);
    QVERIFY(with.derivative.kind == DerivativeKind::kJvp && !with.derivative.clamp_times);
    QVERIFY(with.network_label_dropout == 0.2 && with.adaptive_squared && with.num_classes == 6);
    QCOMPARE(MeanFlow(with, TimeSchedule::withShift(1), VelocitySource::data()).needs().network_label_copies,
             std::int64_t{3});
  }
};
STUDIO_TEST(TestMeanFlow)
#include "tst_mean_flow.moc"
