// SPDX-License-Identifier: Apache-2.0
#include "training/stages/networks.h"

#include <torch/torch.h>

#include <QTemporaryDir>
#include <functional>
#include <stop_token>
#include <thread>

#include "core/checkpoint/module_state.h"
#include "core/checkpoint/tensor_export.h"
#include "core/device/device.h"
#include "core/evaluation/judge.h"
#include "tests/support/studio_test.h"
#include "training/stages/frozen_encoder.h"

using namespace meanflow;

namespace {

constexpr std::int64_t kNumClasses = 3;

base::RunConfig smallConfig(std::int64_t seed) {
  base::RunConfig config;
  config.seed = seed;
  config.data.image_size = 16;
  config.encoder.model = {.patch_size = 4, .hidden_size = 16, .depth = 1, .num_heads = 2, .mlp_ratio = 2};
  config.encoder.mae_decoder_width = 16;
  config.encoder.mae_decoder_depth = 1;
  config.decoder.model = config.encoder.model;
  config.decoder.head_channels = 8;
  config.teacher.model.patch_size = 1;
  config.teacher.model.hidden_size = {16, 32};
  config.teacher.model.depth = {1, 1};
  config.teacher.model.num_heads = {2, 2};
  return config;
}

/// All parameters of a new network of that kind, one after the other.
torch::Tensor startOf(int kind, const base::RunConfig& config) {
  const auto flat = [](const torch::nn::Module& module) {
    std::vector<torch::Tensor> parts;
    for (const auto& parameter : module.parameters()) parts.push_back(parameter.detach().flatten());
    return torch::cat(parts);
  };
  switch (kind) {
    case 0:
      return flat(*training::makeEncoder(config));
    case 1:
      return flat(*training::makeDecoder(config));
    case 2:
      return flat(*training::makeTeacher(config, kNumClasses));
    default:
      return flat(*training::makeStudent(config, kNumClasses));
  }
}

}  // namespace

class TestNetworks : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase() { core::initialiseTorch(); }

  void theStartFollowsFromTheSeed() {
    for (int kind = 0; kind < 4; ++kind) {
      QVERIFY(torch::equal(startOf(kind, smallConfig(1)), startOf(kind, smallConfig(1))));
      QVERIFY(!torch::equal(startOf(kind, smallConfig(1)), startOf(kind, smallConfig(2))));
    }
  }

  // Ranks and the painter of live pictures build networks of different kinds at the same time.
  void networksBuiltAtTheSameTimeStartAsOnesBuiltAlone() {
    constexpr int kThreads = 4, kRounds = 25;
    const auto config = smallConfig(5);
    std::vector<torch::Tensor> alone;
    for (int kind = 0; kind < 4; ++kind) alone.push_back(startOf(kind, config));
    std::vector<int> num_different(kThreads, 0);
    std::vector<std::thread> threads;
    for (int thread = 0; thread < kThreads; ++thread)
      threads.emplace_back([&, thread] {
        for (int round = 0; round < kRounds; ++round) {
          const int kind = (thread + round) % 4;
          num_different[thread] += torch::equal(startOf(kind, config), alone[kind]) ? 0 : 1;
        }
      });
    for (auto& thread : threads) thread.join();
    QCOMPARE(num_different, std::vector<int>(kThreads, 0));
  }

  // A published encoder and the judge are built without a seed of their own; the painter loads the one, another rank
  // makes the other, while the next stage's network is built.
  void networksWithoutASeedTakeNothingFromOneThatHasOne() {
    const QTemporaryDir folder;
    auto frozen = smallConfig(5);
    frozen.encoder.kind = "dinov2";
    frozen.encoder.weights = folder.filePath("dino.pt").toStdString();
    core::PretrainedEncoder published(core::PretrainedEncoderOptions{.hidden_size = 16,
                                                                     .depth = 1,
                                                                     .num_heads = 2,
                                                                     .intermediate_size = 32,
                                                                     .patch_size = 4,
                                                                     .image_size = 16,
                                                                     .num_registers = 2});
    QVERIFY(core::savePt(frozen.encoder.weights, core::namedState(*published)));
    const std::vector<std::function<void()>> builders = {[&] { training::loadNamedEncoder(frozen); },
                                                         [] { core::Judge({}, kNumClasses); }};
    for (std::size_t i = 0; i < builders.size(); ++i) {
      const auto alone = startOf(2, frozen);
      int num_different = 0;
      std::jthread other([&](const std::stop_token& stop) {
        while (!stop.stop_requested()) builders[i]();
      });
      for (int round = 0; round < 200; ++round) num_different += torch::equal(startOf(2, frozen), alone) ? 0 : 1;
      other.request_stop();
      other.join();
      QVERIFY2(num_different == 0, qPrintable(QStringLiteral("beside builder %1: %2").arg(i).arg(num_different)));
    }
  }
};
STUDIO_TEST(TestNetworks)
#include "tst_networks.moc"
