// SPDX-License-Identifier: Apache-2.0
//
// Parameter counts by arithmetic against those of networks really built.
#include <torch/torch.h>

#include <QTest>

#include "core/cost/network_cost.h"
#include "core/evaluation/judge.h"
#include "core/models/ddt.h"
#include "core/models/lightning_dit.h"
#include "core/models/masked_autoencoder.h"
#include "core/models/vit_decoder.h"
#include "tests/support/studio_test.h"

using namespace meanflow;

namespace {
double builtParameters(const torch::nn::Module& module) {
  double count = 0;
  for (const auto& parameter : module.parameters()) count += static_cast<double>(parameter.numel());
  return count;
}
double builtFrozen(const torch::nn::Module& module) {
  double count = 0;
  for (const auto& parameter : module.parameters())
    if (!parameter.requires_grad()) count += static_cast<double>(parameter.numel());
  return count;
}
}  // namespace

class TestBuiltNetworks : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void ditDhHasTheCountedParametersUnderEverySwitch() {
    for (int bits = 0; bits < 64; ++bits) {
      core::DdtShape shape;
      shape.network.hidden_size = bits & 1 ? std::vector<std::int64_t>{24, 24} : std::vector<std::int64_t>{24, 40};
      shape.network.depth = {2, 1};
      shape.network.num_heads = {3, 2};
      shape.network.mlp_ratio = 3.3;
      shape.network.use_qknorm = bits & 2;
      shape.network.use_swiglu = bits & 4;
      shape.network.use_rmsnorm = bits & 8;
      shape.network.use_pos_embed = bits & 16;
      shape.network.use_rope = false;
      shape.network.patch_size = bits & 32 ? 2 : 1;
      shape.side = 4;
      shape.channels = 5;
      shape.num_classes = 7;
      shape.is_student = bits & 1;
      const core::DiTwDDTHead built(core::DdtOptions{.network = shape.network,
                                                     .input_size = shape.side,
                                                     .in_channels = shape.channels,
                                                     .num_classes = shape.num_classes,
                                                     .class_dropout_prob = 0.1,
                                                     .has_r_embedder = shape.is_student});
      const auto counted = core::networkCost(shape);
      QVERIFY2(counted.parameters == builtParameters(*built), qPrintable(QString::number(bits)));
      QVERIFY2(counted.frozen == builtFrozen(*built), qPrintable(QString::number(bits)));
    }
  }
  void lightningDitHasTheCountedParameters() {
    for (const bool sigma : {false, true}) {
      core::LightningDitShape shape;
      shape.hidden_size = 24;
      shape.depth = 3;
      shape.num_heads = 2;
      shape.patch_size = 2;
      shape.side = 4;
      shape.channels = 6;
      shape.num_classes = 5;
      shape.learn_sigma = sigma;
      const core::LightningDit built(core::LightningDitOptions{.input_size = 4,
                                                               .patch_size = 2,
                                                               .in_channels = 6,
                                                               .hidden_size = 24,
                                                               .depth = 3,
                                                               .num_heads = 2,
                                                               .num_classes = 5,
                                                               .learn_sigma = sigma});
      QCOMPARE(core::networkCost(shape).parameters, builtParameters(*built));
    }
  }
  void decodersWithBothHeadsHaveTheCountedParameters() {
    for (const char* head : {"patch", "conv"}) {
      const base::VitConfig network{.patch_size = 4, .hidden_size = 24, .depth = 2, .num_heads = 2, .mlp_ratio = 2};
      core::VitDecoderOptions options;
      options.network = network;
      options.latent_channels = 10;
      options.latent_side = 3;
      options.output_head = head;
      options.head_channels = 8;
      const core::VitDecoder built(options);
      const auto counted = core::networkCost(core::VitDecoderShape{
          .network = network, .latent_side = 3, .latent_channels = 10, .output_head = head, .head_channels = 8});
      QCOMPARE(counted.parameters, builtParameters(*built));
      QCOMPARE(counted.frozen, builtFrozen(*built));
    }
  }
  void theDemosOtherNetworksHaveTheCountedParameters() {
    const base::VitConfig network{.patch_size = 4, .hidden_size = 16, .depth = 2, .num_heads = 2, .mlp_ratio = 3};
    core::VitEncoder encoder(core::VitEncoderOptions{.network = network, .image_size = 12});
    QCOMPARE(core::networkCost(core::OwnEncoderShape{.network = network, .image_size = 12}).parameters,
             builtParameters(*encoder));
    const core::MaskedAutoencoder masked(encoder, 8, 2);
    QCOMPARE(core::networkCost(core::MaskedAutoencoderShape{.encoder = {.network = network, .image_size = 12},
                                                            .decoder_width = 8,
                                                            .decoder_depth = 2})
                 .parameters,
             builtParameters(*masked));
    const base::JudgeConfig judge{.width = 6, .features = 10};
    const core::JudgeNet built(judge, 4);
    QCOMPARE(core::networkCost(core::JudgeShape{.network = judge, .image_size = 16, .num_classes = 4}).parameters,
             builtParameters(*built));
  }
};
STUDIO_TEST(TestBuiltNetworks)
#include "tst_built_networks.moc"
