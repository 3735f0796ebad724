// SPDX-License-Identifier: Apache-2.0
#include <torch/torch.h>

#include <QTest>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/checkpoint/tensor_file.h"
#include "core/latents/rae_codec.h"
#include "tests/support/studio_test.h"

using namespace meanflow;
using namespace meanflow::core;

namespace {

double maxError(const torch::Tensor& a, const torch::Tensor& b) { return (a - b).abs().max().item<double>(); }

TensorMap golden(const std::string& name) {
  return loadTensors(meanflow::testing::testsFolder() + "/golden/" + name + ".safetensors").value();
}

nlohmann::json goldenConfig(const std::string& name) {
  std::ifstream stream(meanflow::testing::testsFolder() + "/golden/" + name + "/case.json");
  return nlohmann::json::parse(stream).at("config");
}

bool close(const torch::Tensor& actual, const torch::Tensor& expected) {
  return torch::allclose(actual, expected, 2e-4, 3e-5);  // the cases' own tolerances
}

VitDecoder tinyDecoder() {
  VitDecoderOptions options;
  options.network = {.patch_size = 4, .hidden_size = 16, .depth = 1, .num_heads = 2, .mlp_ratio = 2};
  options.latent_channels = 6;
  options.latent_side = 2;
  return VitDecoder(options);
}

}  // namespace

class TestLatents : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void init() { torch::manual_seed(7); }

  void statisticsAreExactWhateverTheBatches() {
    const auto latents = torch::randn({50, 3, 2, 2}) * 3 + 100;
    LatentStatistics whole, parts, others;
    whole.add(latents);
    parts.add(latents.slice(0, 0, 7));
    parts.add(latents.slice(0, 7, 8));
    others.add(latents.slice(0, 8));
    parts.merge(others);
    const auto wide = latents.to(torch::kFloat64);
    QCOMPARE(parts.count(), std::int64_t{50});
    for (const auto& moments : {whole.moments(), parts.moments()}) {
      QVERIFY(maxError(moments.mean, wide.mean(0)) < 1e-5);
      QVERIFY(maxError(moments.variance, wide.var(0, false)) < 1e-5);
    }
  }

  void runningStatisticsStartFromZeroAndOne() {
    RunningLatentStatistics running(0.1);
    running.add(torch::full({4, 1, 1, 1}, 2.F));
    QVERIFY(std::abs(running.moments().mean.item<double>() - 0.2) < 1e-6);
    QVERIFY(std::abs(running.moments().variance.item<double>() - 0.9) < 1e-6);  // the batch's own variance is 0
  }

  void normalisedLatentsHaveUnitVarianceAndComeBack() {
    RaeCodec codec({}, tinyDecoder());
    const auto raw = torch::randn({400, 6, 2, 2}) * 5 - 3;
    LatentStatistics statistics;
    statistics.add(raw);
    QVERIFY(torch::equal(codec.normalise(raw), raw));  // without statistics nothing happens
    codec.setStatistics(statistics.moments());
    const auto latents = codec.normalise(raw);
    QVERIFY(latents.mean(0).abs().max().item<double>() < 1e-5);
    QVERIFY((latents.var(0, false) - 1).abs().max().item<double>() < 1e-4);
    QVERIFY(maxError(codec.denormalise(latents), raw) < 1e-5);
    QVERIFY(maxError(codec.decode(latents), codec.decodeFeatures(raw)) < 1e-4);
  }

  void statisticsOfAnotherShapeAreRefused() {
    RaeCodec codec({}, tinyDecoder());
    const LatentMoments wrong = {.mean = torch::zeros({6, 4, 4}), .variance = torch::ones({6, 4, 4})};
    QVERIFY_THROWS_EXCEPTION(c10::Error, codec.setStatistics(wrong));
  }

  void raeCodecMatchesTheReference_data() {
    QTest::addColumn<QString>("name");
    for (const auto* name : {"rae_dinov2", "rae_mae", "rae_siglip2"}) QTest::newRow(name) << QString(name);
  }
  void raeCodecMatchesTheReference() {
    QFETCH(QString, name);
    const auto folder = name.toStdString();
    const auto config = goldenConfig(folder);
    const auto io = golden(folder + "/io"), stat = golden(folder + "/stat");
    VitDecoderOptions options;
    const auto& decoder_config = config["decoder"];
    options.network.patch_size = config["decoder_patch_size"].get<std::int64_t>();
    options.network.hidden_size = decoder_config["decoder_hidden_size"].get<std::int64_t>();
    options.network.depth = decoder_config["decoder_num_hidden_layers"].get<std::int64_t>();
    options.network.num_heads = decoder_config["decoder_num_attention_heads"].get<std::int64_t>();
    options.intermediate_size = decoder_config["decoder_intermediate_size"].get<std::int64_t>();
    options.layer_norm_eps = decoder_config["layer_norm_eps"].get<double>();
    options.latent_channels = io.at("latent").size(1);
    options.latent_side = io.at("latent").size(2);
    VitDecoder decoder(options);
    QVERIFY(maxError(namedState(*decoder).at("decoder_pos_embed"),
                     golden(folder + "/decoder").at("decoder_pos_embed")) < 1e-6);
    loadInto(*decoder, golden(folder + "/decoder"), Strictness::kExact).value();

    const auto features = io.at("features").transpose(1, 2).reshape(io.at("latent").sizes());
    torch::Tensor seen;
    const auto encoder = [&](const torch::Tensor& images) { return seen = images, features; };
    RaeCodecOptions codec_options;
    codec_options.encoder_input_size = config["encoder_input_size"].get<std::int64_t>();
    codec_options.image_mean = config["preprocessor"]["image_mean"].get<std::vector<double>>();
    codec_options.image_std = config["preprocessor"]["image_std"].get<std::vector<double>>();
    codec_options.eps = config["eps"].get<double>();
    RaeCodec codec(encoder, decoder, codec_options);
    codec.setStatistics({.mean = stat.at("mean"), .variance = stat.at("var")});

    QVERIFY(close(codec.encode(io.at("image")), io.at("latent")));
    QVERIFY(close(seen, io.at("normalised")));
    const auto noise = io.at("noise_n").transpose(1, 2).reshape(features.sizes());
    const auto noisy = addFeatureNoise(features, config["noise_tau"].get<double>(), io.at("noise_u").flatten(), noise);
    QVERIFY(close(codec.normalise(noisy), io.at("latent_noisy")));

    const auto latent = io.at("latent").clone().requires_grad_();
    const auto recon = codec.decode(latent);
    QVERIFY(close(recon, io.at("recon")));
    QVERIFY(close(decoder->logits(io.at("tokens_4x")), io.at("decoder_logits_interp")));
    const auto loss = (recon * io.at("cotangent")).sum() / recon.numel();
    QVERIFY(close(loss, io.at("loss")));
    loss.backward();
    QVERIFY(close(latent.grad(), io.at("grad_input.latent")));
    const auto parameters = decoder->named_parameters();
    for (const auto& [gradient, expected] : golden(folder + "/decoder_grads")) {
      const auto scale = expected.abs().max().item<double>();
      QVERIFY2(maxError(parameters[gradient.substr(5)].grad(), expected) < 1e-4 * scale + 1e-9, gradient.c_str());
    }
  }
};

STUDIO_TEST(TestLatents)
#include "tst_latents.moc"
