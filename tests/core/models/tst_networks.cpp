// SPDX-License-Identifier: Apache-2.0
#include <torch/torch.h>

#include <QTest>

#include "core/checkpoint/module_state.h"
#include "core/models/ddt.h"
#include "core/models/lightning_dit.h"
#include "core/models/masked_autoencoder.h"
#include "core/models/vit_decoder.h"
#include "tests/core/models/tiny_ddt.h"
#include "tests/support/studio_test.h"

using namespace meanflow;
using namespace meanflow::core;
using testing::randomise;
using testing::tinyDdt;

namespace {

double maxError(const torch::Tensor& a, const torch::Tensor& b) { return (a - b).abs().max().item<double>(); }

struct Inputs {
  torch::Tensor z, r, t, y;
};
Inputs tinyInputs(const torch::TensorOptions& dtype = torch::kFloat32) {
  return {.z = torch::randn({2, 6, 4, 4}, dtype),
          .r = torch::tensor({0.1, 0.3}, dtype),
          .t = torch::tensor({0.6, 0.9}, dtype),
          .y = torch::tensor({0, 3}, torch::kInt64)};
}

bool throwsWith(const std::function<void()>& f, const std::string& text) {
  try {
    f();
  } catch (const c10::Error& error) {
    return std::string(error.what()).find(text) != std::string::npos;
  }
  return false;
}

VitEncoder demoEncoder() {
  VitEncoderOptions options;
  options.network = {.patch_size = 8, .hidden_size = 64, .depth = 2, .num_heads = 4, .mlp_ratio = 4};
  options.image_size = 32;
  return VitEncoder(options);
}

VitDecoderOptions demoDecoder(const std::string& head) {
  VitDecoderOptions options;
  options.network = {.patch_size = 8, .hidden_size = 96, .depth = 3, .num_heads = 4, .mlp_ratio = 4};
  options.latent_channels = 64;
  options.latent_side = 4;
  options.output_head = head;
  return options;
}

}  // namespace

class TestNetworks : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void init() { torch::manual_seed(7); }

  void aFreshNetworkIsTheZeroFunction() {
    const auto in = tinyInputs();
    QCOMPARE(DiTwDDTHead(tinyDdt(false))->velocity(in.z, in.t, in.y).abs().max().item<double>(), 0.0);
    LightningDitOptions options;
    options.input_size = 4, options.in_channels = 6, options.hidden_size = 16, options.depth = 1;
    options.num_heads = 2, options.num_classes = 3;
    QCOMPARE(LightningDit(options)->velocity(in.z, in.t, in.y).abs().max().item<double>(), 0.0);
  }

  void initialisationFollowsTheReference() {
    DiTwDDTHead network(tinyDdt(true));
    const auto state = namedState(*network);
    const auto deviation = [&](const char* name) { return state.at(name).std().item<double>(); };
    QVERIFY(std::abs(deviation("t_embedder.mlp.0.weight") - 0.02) < 2e-3);
    // The student's second embedder keeps U(+-1/sqrt(512)): deviation 1/sqrt(3 * 512).
    QVERIFY(std::abs(deviation("r_embedder.mlp.0.weight") - 1 / std::sqrt(3.0 * 512)) < 2e-3);
    QVERIFY(std::abs(deviation("t_embedder.W") - 1) < 0.15);
    QVERIFY(state.at("x_embedder.proj.weight").abs().max().item<double>() <= std::sqrt(6.0 / (6 + 32)));
    QCOMPARE(state.at("s_embedder.proj.bias").abs().max().item<double>(), 0.0);
    QVERIFY(state.at("t_embedder.mlp.0.bias").abs().max().item<double>() > 0);
  }

  void fourierFrequenciesAndPositionsAreFrozenUnlessSwitchedOn() {
    DiTwDDTHead network(tinyDdt(true));
    const auto parameters = network->named_parameters();
    for (const auto* name : {"t_embedder.W", "r_embedder.W", "pos_embed"}) {
      network->setFourierAndPositionsTrainable(false);
      QVERIFY2(!parameters[name].requires_grad(), name);
      network->setFourierAndPositionsTrainable(true);
      QVERIFY2(parameters[name].requires_grad(), name);
    }
  }

  void forwardModeDerivativeMatchesCentralDifferences() {
    auto options = tinyDdt(true);
    options.network.use_qknorm = true;
    DiTwDDTHead network(options);
    network->to(torch::kFloat64);
    randomise(*network);
    const auto in = tinyInputs(torch::kFloat64);
    const auto w = torch::randn_like(in.z);
    const auto u = flowMap(network);
    const torch::NoGradGuard no_grad;
    const double h = 1e-6;
    const auto expected = (u(in.z + h * w, in.r, in.t + h, in.y) - u(in.z - h * w, in.r, in.t - h, in.y)) / (2 * h);
    const auto level = torch::autograd::forward_ad::enter_dual_level();
    const auto out = u(at::_make_dual(in.z, w, level), in.r, at::_make_dual(in.t, torch::ones_like(in.t), level), in.y);
    const auto tangent = std::get<1>(at::_unpack_dual(out, level)).clone();
    torch::autograd::forward_ad::exit_dual_level(level);
    QVERIFY(expected.abs().max().item<double>() > 1e-2);
    QVERIFY(maxError(tangent, expected) < 1e-6 * expected.abs().max().item<double>());
  }

  void aStudentTakesEverythingFromItsTeacherButTheSecondTimeEmbedder() {
    DiTwDDTHead teacher(tinyDdt(false)), student(tinyDdt(true));
    randomise(*teacher);
    const auto report = copyMatching(*teacher, *student);
    QCOMPARE(report.missing.size(), std::size_t{5});
    for (const auto& name : report.missing) QVERIFY2(name.rfind("r_embedder.", 0) == 0, name.c_str());
    QVERIFY(report.unexpected.empty() && report.mis_shaped.empty());
    QVERIFY(torch::equal(namedState(*teacher).at("blocks.2.attn.qkv.weight"),
                         namedState(*student).at("blocks.2.attn.qkv.weight")));
    // With the second embedder silenced the student is the teacher.
    const torch::NoGradGuard no_grad;
    for (auto& parameter : student->r_embedder->mlp->parameters()) parameter.zero_();
    const auto in = tinyInputs();
    QVERIFY(maxError(student->averageVelocity(in.z, in.r, in.t, in.y), teacher->velocity(in.z, in.t, in.y)) < 1e-6);
  }

  void eachKindOfNetworkRefusesTheOthersQuestion() {
    const auto in = tinyInputs();
    QVERIFY(throwsWith([&] { DiTwDDTHead(tinyDdt(true))->velocity(in.z, in.t, in.y); }, "use averageVelocity"));
    QVERIFY(throwsWith([&] { DiTwDDTHead(tinyDdt(false))->averageVelocity(in.z, in.r, in.t, in.y); },
                       "needs has_r_embedder"));
    auto odd = tinyDdt(false);
    odd.network.num_heads = {5, 2};
    QVERIFY(throwsWith([&] { DiTwDDTHead{odd}; }, "not a multiple of num_heads 5"));
  }

  void encoderTokensHaveMeanZeroAndVarianceOne() {
    const auto latents = demoEncoder()(torch::randn({2, 3, 32, 32}));
    QCOMPARE(latents.sizes(), (at::IntArrayRef{2, 64, 4, 4}));
    QVERIFY(latents.mean(1).abs().max().item<double>() < 1e-5);
    QVERIFY((latents.var(1, false) - 1).abs().max().item<double>() < 1e-3);
    QVERIFY(torch::equal(tokensToLatents(latentsToTokens(latents)), latents));
  }

  void aMaskKeepsTheSmallestUniformsAndKnowsTheWayBack() {
    const auto uniforms = torch::tensor({{0.9F, 0.1F, 0.5F, 0.3F}});
    const auto mask = choosePatches(uniforms, 0.5);
    QVERIFY(torch::equal(mask.kept, torch::tensor({{1, 3}}, torch::kInt64)));
    QVERIFY(torch::equal(mask.restore, torch::tensor({{3, 0, 2, 1}}, torch::kInt64)));
    QCOMPARE(choosePatches(uniforms, 0).kept.size(1), std::int64_t{4});
    QCOMPARE(choosePatches(uniforms, 0.99).kept.size(1), std::int64_t{1});
  }

  void maskTokensFillTheGapsInImageOrder() {
    MaskedAutoencoder mae(demoEncoder(), 32, 1);
    const auto mask = choosePatches(torch::rand({2, 16}), 0.75);
    const auto encoded = torch::randn({2, 4, 64});
    const auto filled = mae->fillIn(encoded, mask);
    const auto state = namedState(*mae);
    const auto positions = state.at("decoder_pos_embed")[0];
    const auto kept =
        torch::nn::functional::linear(encoded, state.at("decoder_embed.weight"), state.at("decoder_embed.bias"));
    for (int b = 0; b < 2; ++b) {
      auto expected = (mae->mask_token[0] + positions).clone();
      for (int k = 0; k < 4; ++k) {
        const auto token = mask.kept[b][k].item<std::int64_t>();
        expected[token] = kept[b][k] + positions[token];
      }
      QVERIFY(maxError(filled[b], expected) < 1e-6);
    }
  }

  void hiddenPatchesDoNotInfluenceTheReconstruction() {
    MaskedAutoencoder mae(demoEncoder(), 32, 1);
    const auto mask = choosePatches(torch::arange(16, torch::kFloat32).unsqueeze(0), 0.5);  // keeps the upper half
    const auto images = torch::randn({1, 3, 32, 32});
    auto changed = images.clone();
    changed.slice(2, 16) += 1;
    QVERIFY(torch::equal(mae(images, mask), mae(changed, mask)));
    const auto loss = mae->loss(images, torch::rand({1, 16}), 0.5);
    loss.backward();
    for (const auto& entry : mae->named_parameters()) QVERIFY2(entry.value().grad().defined(), entry.key().c_str());
  }

  void theConvolutionalHeadStartsAsTheLinearOneAndStaysCheap() {
    VitDecoder plain(demoDecoder("patch")), conv(demoDecoder("conv"));
    copyMatching(*plain, *conv);
    const auto latents = torch::randn({2, 64, 4, 4});
    QVERIFY(maxError(plain(latents), conv(latents)) < 1e-6);
    // Multiply-accumulates of the head for one 32x32 image: 16 tokens, 16x16 and 32x32 cells.
    std::int64_t macs = 0;
    for (const auto& [name, tensor] : namedState(*conv)) {
      if (name == "conv_head.embed.weight") macs += tensor.numel() * 16;
      if (name == "conv_head.half.weight") macs += tensor.numel() * 256;
      if (name == "conv_head.full.weight" || name == "conv_head.out.weight") macs += tensor.numel() * 1024;
    }
    QVERIFY2(macs > 0 && macs <= 8'000'000, std::to_string(macs).c_str());
  }

  void theConvolutionalHeadSeesAcrossPatchBorders() {
    // A head alone, so that attention cannot carry the change: pixels of token 1 near token 0 must feel token 0.
    ConvHead head(8, 4, 8, 3);
    randomise(*head);
    auto features = torch::randn({1, 9, 8}), prediction = torch::zeros({1, 3, 12, 12});
    const auto before = head(features, prediction);
    features[0][0] += 1;
    const auto change = (head(features, prediction) - before).abs().sum(1)[0];
    QVERIFY(change[0][4].item<double>() > 0);
    QCOMPARE(change[11][11].item<double>(), 0.0);  // and far pixels do not
  }
};

STUDIO_TEST(TestNetworks)
#include "tst_networks.moc"
