// SPDX-License-Identifier: Apache-2.0
//
// Counts against published figures and against sums written out by hand.
#include <QTest>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/cost/catalog.h"
#include "core/cost/memory_estimate.h"
#include "core/cost/training_cost.h"
#include "tests/support/studio_test.h"

using namespace meanflow::core;

namespace {
NetworkCost named(const char* name) { return networkCost(namedNetwork(name).value()); }
}  // namespace

class TestNetworkCost : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void theFormulaOfDitDhHoldsAtEverySize() {
    // N (C De + C Dd + Le (4 De^2 + 3 h De) + De Dd + Ld (4 Dd^2 + 3 h Dd + 6 Dd^2) + 2 Dd^2 + Dd C) + Le 6 De^2
    // + k (512 De + De^2); attention 2 N^2 (Le De + Ld Dd).
    for (const bool is_student : {false, true})
      for (const std::int64_t side : {4, 16, 32}) {
        DdtShape shape;
        shape.network.hidden_size = {48, 128};
        shape.network.depth = {5, 3};
        shape.network.num_heads = {4, 8};
        shape.side = side;
        shape.channels = 20;
        shape.is_student = is_student;
        const double N = static_cast<double>(side * side), C = 20, De = 48, Dd = 128, Le = 5, Ld = 3,
                     k = is_student ? 2 : 1;
        const double he = 128, hd = 341;  // trunc(2/3 * 4 * width)
        const double linear = N * (C * De + C * Dd + Le * (4 * De * De + 3 * he * De) + De * Dd +
                                   Ld * (10 * Dd * Dd + 3 * hd * Dd) + 2 * Dd * Dd + Dd * C) +
                              Le * 6 * De * De + k * (512 * De + De * De);
        const auto cost = networkCost(shape);
        QCOMPARE(cost.linear_macs, linear);
        QCOMPARE(cost.attention_macs, 2 * N * N * (Le * De + Ld * Dd));
      }
  }
  void publishedSizesHaveTheirPublishedParameters() {
    QCOMPARE(named("DiTDH-XL 256 (teacher)").parameters, 838675796.0);
    QCOMPARE(named("MF-RAE student DiTDH-XL 512").parameters, 841480020.0);
    QCOMPARE(named("SiT-XL/2 256").parameters, 675129632.0);
    QCOMPARE(named("MeanFlow SiT-XL/2 256").parameters, 676735504.0);
    QCOMPARE(named("RAE ViT-XL decoder 256").parameters, 415352704.0);
    QCOMPARE(named("DINOv2-B/14 reg encoder 448").parameters, 86583552.0);
    QCOMPARE(named("SD-VAE decoder 512").parameters, 49490179.0);
    QCOMPARE(named("SD-VAE encoder 256").parameters, 34163592.0);
  }
  void everyRowOfTheGoldenTableIsReproduced() {
    std::ifstream stream(meanflow::testing::testsFolder() + "/golden/flops_params/case.json");
    const auto table = nlohmann::json::parse(stream).at("table");
    QVERIFY(table.size() >= 25);
    for (const auto& [name, row] : table.items()) {
      const auto cost = named(name.c_str());
      QVERIFY2(cost.linear_macs == row.at("linear_conv_MAC").get<double>(), name.c_str());
      QVERIFY2(cost.attention_macs == row.at("attention_MAC").get<double>(), name.c_str());
      QVERIFY2(cost.parameters == row.at("params").get<double>(), name.c_str());
    }
  }
  void theFrozenPartIsPositionsAndFrequencies() {
    QCOMPARE(named("DiTDH-XL 256").frozen, 256.0 * 1152 + 256);
    QCOMPARE(named("MF-RAE student DiTDH-XL 256").frozen, 256.0 * 1152 + 2 * 256);
    QCOMPARE(named("SiT-XL/2 256").frozen, 256.0 * 1152);
  }
  void namesAreReadInPieces() {
    QCOMPARE(named("DiTDH-XL 512").linear_macs, named("DiT-DH-XL 512 (teacher)").linear_macs);
    QCOMPARE(named("SiT-B/4 256").attention_macs, 2.0 * 64 * 64 * 768 * 12);  // (32 / 4)^2 tokens
    QCOMPARE(named("SiT-B/8 512").attention_macs, 2.0 * 64 * 64 * 768 * 12);  // (64 / 8)^2 tokens
    QCOMPARE(named("SiT-L/2 256 (no learn_sigma)").parameters, named("SiT-L/2 256").parameters - 16 * 1025);
    QVERIFY(named("LightningDiT-B/1 on RAE latents").parameters < named("LightningDiT-L/1 on RAE latents").parameters);
    QVERIFY(!namedNetwork("ResNet-50 224").has_value());
    QVERIFY(!namedNetwork("RAE ViT-S decoder 256").has_value());
  }
  void encodersDifferInTokensBesideThePatches() {
    const double D = 768, per_token = 12 * 12 * D * D, patches = 256;
    QCOMPARE(named("MAE-B/16 encoder 256").linear_macs, patches * 768 * D + (patches + 1) * per_token);
    QCOMPARE(named("SigLIP2-B/16 encoder 256").linear_macs, patches * 768 * D + patches * per_token);
    QCOMPARE(named("DINOv2-B/14 encoder 224").linear_macs, patches * 588 * D + (patches + 5) * per_token);
  }
  void maskingHalfThePatchesHalvesTheEncodersLinearWork() {
    MaskedAutoencoderShape shape{
        .encoder = {.network = {.patch_size = 8, .hidden_size = 64, .depth = 4, .num_heads = 4, .mlp_ratio = 4},
                    .image_size = 32},
        .decoder_width = 64,
        .decoder_depth = 2};
    const auto whole = networkCost(shape);
    shape.mask_ratio = 0.5;
    const auto half = networkCost(shape);
    const double block = 12.0 * 64 * 64;
    QCOMPARE(whole.linear_macs - half.linear_macs,
             8 * (4 * block + 64 * 64));  // 8 of 16 tokens: 4 blocks and the embedding
    QCOMPARE(whole.parameters, half.parameters);
  }

  void objectivesCountTheirCalls() {
    TrainingSetting setting;
    setting.student = {.linear_macs = 100, .attention_macs = 10};
    setting.teacher = {.linear_macs = 50};
    setting.encoder_macs = 7;
    setting.ratio_r_less_than_t = 0.25;
    const double F = 110, T = 50, E = 7, J = 230;
    QCOMPARE(flowMatchingCost(setting).macs(), 3 * F + E);
    QCOMPARE(meanFlowCost(setting, Proxy::kTeacher, Derivative::kFiniteDifference, Evaluation::kOfficial).macs(),
             9 * F + T + E);
    QCOMPARE(meanFlowCost(setting, Proxy::kTeacher, Derivative::kFiniteDifference, Evaluation::kNeeded).macs(),
             3.5 * F + T + E);
    QCOMPARE(meanFlowCost(setting, Proxy::kData, Derivative::kFiniteDifference, Evaluation::kOfficial).macs(),
             9 * F + E);
    QCOMPARE(meanFlowCost(setting, Proxy::kData, Derivative::kJvp, Evaluation::kOfficial).macs(), J + 2 * F + E);
    QCOMPARE(meanFlowCost(setting, Proxy::kMixSelf, Derivative::kJvp, Evaluation::kNeeded).macs(),
             4 * F + 0.25 * J + E);
    setting.teacher_calls = 2;
    QCOMPARE(meanFlowCost(setting, Proxy::kMixTeacher, Derivative::kFiniteDifference, Evaluation::kNeeded).macs(),
             3.5 * F + 2 * T + E);
    setting.euler_steps = 15;
    setting.pairs_per_trajectory = 60;
    QCOMPARE(midTrainingCost(setting, true).macs(), 3 * F + 15 * 2 * T / 60 + E / 60);
    QCOMPARE(gpuDays(86400.0 * 5e12, 1e12), 5.0);
  }
  void memoryFollowsTheOptimizer() {
    const NetworkCost network{.parameters = 1000, .frozen = 100, .kept_values = 30};
    const auto memory = estimateMemory({.trained = network, .frozen_parameters = 500, .samples_in_graph = 4});
    QCOMPARE(memory.total(), 4.0 * 1000 + 4 * 500 + 4 * 900 + 8 * 900 + 4 * 1000 + 4 * 30 * 4);
    const auto half = estimateMemory({.trained = network, .samples_in_graph = 4, .is_bf16 = true, .has_ema = false});
    QCOMPARE(half.activations, memory.activations / 2);
    QCOMPARE(half.average, 0.0);
  }
};
STUDIO_TEST(TestNetworkCost)
#include "tst_network_cost.moc"
