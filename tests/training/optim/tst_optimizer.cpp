// SPDX-License-Identifier: Apache-2.0
#include <torch/torch.h>

#include <QTest>
#include <cmath>
#include <limits>

#include "tests/support/studio_test.h"
#include "training/optim/adamw.h"
#include "training/optim/ema.h"
#include "training/optim/gradients.h"
#include "training/optim/lr_schedule.h"

using namespace meanflow;
using namespace meanflow::training;

namespace {

NamedTensors parameters() {
  torch::manual_seed(11);
  return {{"a", torch::randn({5, 7}).requires_grad_()},
          {"frozen", torch::randn({3})},
          {"b", torch::randn({7}).requires_grad_()}};
}

/// The same gradients for the same step, whatever the parameters are.
void setGradients(const NamedTensors& named, int step) {
  torch::manual_seed(100 + static_cast<std::uint64_t>(step));
  for (const auto& [name, tensor] : named)
    if (tensor.requires_grad()) torch::Tensor(tensor).mutable_grad() = torch::randn_like(tensor);
}

bool identical(const NamedTensors& a, const NamedTensors& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (a[i].first != b[i].first || !torch::equal(a[i].second, b[i].second)) return false;
  return true;
}

NamedTensors copyOf(const NamedTensors& named) {
  NamedTensors copy;
  for (const auto& [name, tensor] : named)
    copy.emplace_back(name, tensor.detach().clone().set_requires_grad(tensor.requires_grad()));
  return copy;
}

}  // namespace

class TestOptimizer : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase() { torch::set_num_threads(1); }  // small tensors: more threads only wait for each other

  void firstStepMovesByTheLearningRate() {
    // From zero moments both bias corrections cancel: the update is lr g / (|g| + eps), after the decay.
    const auto named = parameters();
    const auto before = copyOf(named);
    AdamW optimizer(named, {.eps = 1e-8, .weight_decay = 0.1});
    setGradients(named, 0);
    optimizer.step(0.01);
    for (const std::size_t i : {0, 2}) {
      const auto& grad = named[i].second.grad();
      const auto expected = before[i].second.detach() * (1 - 0.01 * 0.1) - 0.01 * grad / (grad.abs() + 1e-8);
      QVERIFY(torch::allclose(named[i].second.detach(), expected, 1e-5, 1e-6));
    }
    QVERIFY(torch::equal(named[1].second, before[1].second));  // frozen: no decay either
  }

  void followsTorchsAdamW() {
    const auto ours = parameters();
    const auto theirs = copyOf(ours);
    AdamW optimizer(ours, {.beta1 = 0.8, .beta2 = 0.97, .weight_decay = 0.05});
    torch::optim::AdamW reference(std::vector<torch::Tensor>{theirs[0].second, theirs[2].second},
                                  torch::optim::AdamWOptions(0.01).betas({0.8, 0.97}).weight_decay(0.05));
    for (int step = 0; step < 20; ++step) {
      setGradients(ours, step);
      setGradients(theirs, step);
      optimizer.step(0.01);
      reference.step();
    }
    for (const std::size_t i : {0, 2}) QVERIFY(torch::allclose(ours[i].second, theirs[i].second, 1e-5, 1e-6));
  }

  void resumesBitIdentically() {
    const auto straight = parameters();
    AdamW optimizer(straight, {.weight_decay = 0.05});
    NamedTensors saved_parameters, saved_state;
    for (int step = 0; step < 10; ++step) {
      if (step == 5) {
        saved_parameters = copyOf(straight);
        saved_state = copyOf(optimizer.state());
      }
      setGradients(straight, step);
      optimizer.step(1e-3 * (step + 1));
    }
    AdamW resumed(saved_parameters, {.weight_decay = 0.05});
    QVERIFY(resumed.loadState(saved_state).ok());
    for (int step = 5; step < 10; ++step) {
      setGradients(saved_parameters, step);
      resumed.step(1e-3 * (step + 1));
    }
    QVERIFY(identical(straight, saved_parameters));
    QVERIFY(identical(optimizer.state(), resumed.state()));
  }

  void theDeviceHoldsABadUpdateBack() {
    const auto gated = parameters();
    const auto plain = copyOf(gated);
    AdamW optimizer(gated, {.weight_decay = 0.05}), reference(plain, {.weight_decay = 0.05});
    for (int step = 0; step < 6; ++step) {
      const bool is_bad = step == 0 || step == 3;
      setGradients(gated, step);
      if (is_bad) torch::Tensor(gated[2].second).mutable_grad()[4] = std::numeric_limits<float>::quiet_NaN();
      optimizer.step(0.01, torch::tensor(is_bad));
      if (is_bad) continue;
      setGradients(plain, step);
      reference.step(0.01);
    }
    QVERIFY(identical(gated, plain));
    QVERIFY(identical(optimizer.state(), reference.state()));
  }

  void refusesAStateOfAnotherModelAndKeepsItsOwn() {
    const auto named = parameters();
    AdamW optimizer(named, {});
    setGradients(named, 0);
    optimizer.step(0.01);
    const auto before = copyOf(optimizer.state());
    auto state = copyOf(optimizer.state());
    for (auto& entry : state) entry.second = torch::ones_like(entry.second);
    state.back().first = "c.step";
    const auto missing = optimizer.loadState(state);
    QVERIFY(!missing.ok() && missing.error().message.find("b.step") != std::string::npos);
    state.back() = {"b.step", torch::ones({})};
    state.front().second = torch::ones({2});
    const auto mis_shaped = optimizer.loadState(state);
    QVERIFY(!mis_shaped.ok() && mis_shaped.error().message.find("a.exp_avg") != std::string::npos);
    QVERIFY(identical(before, optimizer.state()));
  }

  void zeroesGradientsInPlace() {
    // Gradients may be views of a bucket that is all-reduced: they must stay where they are.
    const auto named = parameters();
    auto bucket = torch::ones({42});
    torch::Tensor(named[0].second).mutable_grad() = bucket.narrow(0, 0, 35).view({5, 7});
    torch::Tensor(named[2].second).mutable_grad() = bucket.narrow(0, 35, 7);
    AdamW optimizer(named, {});
    optimizer.step(0.1);
    optimizer.zeroGrad();
    QCOMPARE(bucket.abs().sum().item<float>(), 0.0F);
    QVERIFY(named[0].second.grad().data_ptr() == bucket.data_ptr());
  }

  void clipsTheGlobalNorm() {
    const auto named = parameters();
    torch::Tensor(named[0].second).mutable_grad() = torch::full({5, 7}, 3.0);
    torch::Tensor(named[2].second).mutable_grad() = torch::full({7}, 4.0);
    const double norm = std::sqrt(35 * 9.0 + 7 * 16.0);
    QVERIFY(std::abs(clipGradNorm(named, 0).item<double>() - norm) < 1e-4);
    QCOMPARE(named[0].second.grad().max().item<float>(), 3.0F);  // 0 = off
    clipGradNorm(named, 100);
    QCOMPARE(named[0].second.grad().max().item<float>(), 3.0F);  // below the limit: untouched
    QVERIFY(std::abs(clipGradNorm(named, 2).item<double>() - norm) < 1e-4);
    QVERIFY(std::abs(clipGradNorm(named, 0).item<double>() - 2) < 1e-5);
    QVERIFY(std::abs(named[2].second.grad()[0].item<double>() - 4 * 2 / norm) < 1e-5);
  }

  void noticesEveryKindOfNonFiniteEntry() {
    const auto named = parameters();
    setGradients(named, 0);
    torch::Tensor(named[0].second).mutable_grad()[2][3] = 3e38F;
    QVERIFY(allFinite(gradients(named)).item<bool>());
    QVERIFY(allFinite({}).item<bool>());
    for (const float bad : {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
                            std::numeric_limits<float>::quiet_NaN()}) {
      setGradients(named, 0);
      torch::Tensor(named[2].second).mutable_grad()[4] = bad;
      QVERIFY(!allFinite(gradients(named)).item<bool>());
      QCOMPARE(firstNonFinite({{"a", named[0].second.grad()}, {"b", named[2].second.grad()}}), std::string("b"));
    }
  }

  void averagesForgetGeometrically() {
    const auto named = parameters();
    const auto start = copyOf(named);
    Ema ema(named);
    QVERIFY(torch::equal(ema.averages()[0].second, start[0].second.detach()));
    {
      const torch::NoGradGuard no_grad;
      torch::Tensor(named[0].second).fill_(2);
    }
    for (int step = 0; step < 10; ++step) ema.update(0.9);
    const auto expected = 2 + (start[0].second.detach() - 2) * std::pow(0.9, 10);
    QVERIFY(torch::allclose(ema.averages()[0].second, expected, 1e-5, 1e-6));
    QVERIFY(torch::equal(ema.averages()[1].second, start[1].second));  // frozen ones are averaged, too: with themselves
    QVERIFY(!ema.load({{"a", torch::ones({5, 7})}}).ok());
    QVERIFY(ema.load(start).ok());
    QVERIFY(identical(ema.averages(), start));
  }

  void averagesGoIntoAModule() {
    torch::nn::Linear trained(3, 2), sampled(3, 2);
    Ema ema(namedParameters(*trained));
    {
      const torch::NoGradGuard no_grad;
      trained->weight.add_(1);
    }
    ema.update(0.5);
    ema.copyTo(*sampled);
    QVERIFY(torch::allclose(sampled->weight, trained->weight - 0.5, 1e-5, 1e-6));
    torch::nn::Linear wider(4, 2);
    QVERIFY_EXCEPTION_THROWN(ema.copyTo(*wider), c10::Error);
  }

  void warmsUpAndReachesTheFinalRateAtTheLastStep() {
    base::TrainingConfig config;
    config.steps = 100;
    config.lr = 0.1;
    config.final_lr = 0.01;
    config.warmup_steps = 10;
    for (const char* name : {"linear", "cosine"}) {
      config.schedule = name;
      const auto schedule = lrSchedule(config);
      QCOMPARE(schedule.at(0), 0.01);
      QCOMPARE(schedule.at(4), 0.05);
      QCOMPARE(schedule.at(9), 0.1);
      QCOMPARE(schedule.at(10), 0.1);
      QCOMPARE(schedule.at(99), 0.01);
      QCOMPARE(schedule.at(500), 0.01);
    }
    config.schedule = "linear";
    QVERIFY(std::abs(lrSchedule(config).at(10 + 89 / 2) - (0.1 - 0.09 * 44 / 89)) < 1e-12);
    config.steps = 111;  // the decay is 100 steps long
    config.schedule = "cosine";
    QVERIFY(std::abs(lrSchedule(config).at(60) - 0.055) < 1e-12);
    config.schedule = "constant";
    QCOMPARE(lrSchedule(config).at(3), 0.04);
    QCOMPARE(lrSchedule(config).at(110), 0.1);
    config.schedule = "step";
    QVERIFY_EXCEPTION_THROWN(lrSchedule(config), std::invalid_argument);
  }
};
STUDIO_TEST(TestOptimizer)
#include "tst_optimizer.moc"
