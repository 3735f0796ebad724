// SPDX-License-Identifier: Apache-2.0
//
// Published sizes: parameter counts at true size, without the memory.
#include <torch/torch.h>

#include <QTest>
#include <functional>
#include <nlohmann/json.hpp>

#include "core/checkpoint/module_state.h"
#include "core/device/meta_scope.h"
#include "core/models/model_presets.h"
#include "tests/support/studio_test.h"

using namespace meanflow::core;

namespace {

bool isOnMeta(const torch::nn::Module& module) {
  for (const auto& tensor : module.parameters())
    if (!tensor.is_meta()) return false;
  for (const auto& tensor : module.buffers())
    if (!tensor.is_meta()) return false;
  return true;
}

PretrainedEncoderOptions tinyEncoder(EncoderFamily family) {
  PretrainedEncoderOptions options;
  options.family = family;
  options.hidden_size = 8;
  options.depth = 1;
  options.num_heads = 2;
  options.intermediate_size = 12;
  options.patch_size = 4;
  options.image_size = 12;
  options.num_registers = family == EncoderFamily::kDinov2 ? 3 : 0;
  return options;
}

std::string errorOf(const char* json) {
  const auto options = pretrainedEncoderOptions(nlohmann::json::parse(json));
  return options ? "none" : options.error().message;
}

}  // namespace

class TestModelPresets : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void init() { torch::manual_seed(7); }

  void trueSizesHaveThePublishedParameterCounts_data() {
    QTest::addColumn<int>("index");
    const auto presets = modelPresets();
    for (std::size_t i = 0; i < presets.size(); ++i)
      QTest::newRow(std::string(presets[i].name).c_str()) << static_cast<int>(i);
  }
  void trueSizesHaveThePublishedParameterCounts() {
    QFETCH(int, index);
    const auto& preset = modelPresets()[static_cast<std::size_t>(index)];
    const MetaScope no_memory;
    const auto network = preset.build();
    QVERIFY(isOnMeta(*network));
    const auto count = countParameters(*network);
    if (preset.num_parameters > 0) {
      QCOMPARE(count, preset.num_parameters);
    } else {
      QVERIFY2(count > 85'000'000 && count < 87'000'000,
               std::to_string(count).c_str());  // ViT-B: 12 layers of width 768
    }
  }

  void theStudentIsTheOneOf841MillionParameters() {
    const MetaScope no_memory;
    const auto teacher = countParameters(*DiTwDDTHead(ddtPreset("XL", false, 32)));
    const auto student = countParameters(*DiTwDDTHead(ddtPreset("XL", true, 32)));
    QCOMPARE(student, std::int64_t{841'480'020});
    // The second time embedder: 256 frequencies, 512 -> 1152 -> 1152.
    QCOMPARE(student - teacher, std::int64_t{256 + 512 * 1152 + 1152 + 1152 * 1152 + 1152});
  }

  void aNetworkInAMetaScopeHasShapesOutsideItHasMemory() {
    auto options = ddtPreset("S", false, 16);
    options.network.hidden_size = {16, 32};
    options.network.depth = {1, 1};
    options.network.num_heads = {2, 2};
    options.in_channels = 4;
    std::map<std::string, std::vector<std::int64_t>> shapes;
    {
      const MetaScope no_memory;
      const DiTwDDTHead network(options);
      QVERIFY(isOnMeta(*network));
      for (const auto& [name, tensor] : namedState(*network)) shapes[name] = tensor.sizes().vec();
    }
    DiTwDDTHead network(options);
    QVERIFY(network->parameters().front().is_cpu());
    std::map<std::string, std::vector<std::int64_t>> real;
    for (const auto& [name, tensor] : namedState(*network)) real[name] = tensor.sizes().vec();
    QCOMPARE(shapes, real);
    const auto out = network->velocity(torch::randn({1, 4, 16, 16}), torch::tensor({0.5F}), torch::tensor({3}));
    QVERIFY(out.is_cpu() && out.isfinite().all().item<bool>());
  }

  void unknownNamesAreRefusedWithTheKnownOnes() {
    const auto message = [](const std::function<void()>& f) -> std::string {
      try {
        f();
      } catch (const c10::Error& error) {
        return error.what_without_backtrace();
      }
      return "";
    };
    QVERIFY(message([] { ddtPreset("M", false, 16); }).find("S, B, L or XL") != std::string::npos);
    QVERIFY(message([] { vitDecoderPreset("S", 16); }).find("B, L or XL") != std::string::npos);
    QVERIFY(message([] { encoderPreset("clip"); }).find("dinov2-b") != std::string::npos);
  }

  void encodersDropTheirPrefixTokens() {
    for (const auto family : {EncoderFamily::kDinov2, EncoderFamily::kMae, EncoderFamily::kSiglip2}) {
      PretrainedEncoder encoder(tinyEncoder(family));
      QCOMPARE(encoder(torch::randn({2, 3, 12, 12})).sizes(), torch::IntArrayRef({2, 9, 8}));
      QCOMPARE(encoder(torch::randn({2, 3, 20, 20})).sizes(), torch::IntArrayRef({2, 25, 8}));  // positions resized
      QVERIFY(encoder->positionsFor(12, 12).size(1) == (family == EncoderFamily::kSiglip2 ? 9 : 10));
      QVERIFY_EXCEPTION_THROWN(encoder(torch::randn({2, 1, 12, 12})), c10::Error);
    }
  }

  void onlyTheLastNormsAffineIsLeftOut() {
    auto options = tinyEncoder(EncoderFamily::kMae);
    const auto image = torch::randn({1, 3, 12, 12});
    PretrainedEncoder plain(options);
    options.final_norm_affine = true;
    PretrainedEncoder affine(options);
    copyMatching(*plain, *affine);
    const auto tokens = plain(image);
    QVERIFY(torch::allclose(tokens.mean(-1), torch::zeros({1, 9}), 0, 1e-5));
    QVERIFY(torch::allclose(affine(image), tokens));  // weight 1, bias 0
    const torch::NoGradGuard no_grad;
    auto parameters = affine->named_parameters();
    parameters["vit.layernorm.weight"].fill_(2);
    parameters["vit.layernorm.bias"].fill_(1);
    QVERIFY(torch::allclose(affine(image), 2 * tokens + 1, 1e-5, 1e-6));
  }

  void filesSavedWithAnotherHeadMapToTheSameNames() {
    const PretrainedEncoder mae(tinyEncoder(EncoderFamily::kMae)), siglip(tinyEncoder(EncoderFamily::kSiglip2));
    TensorMap bare, whole;
    for (const auto& [name, tensor] : namedState(*mae)) bare.emplace(name.substr(4), tensor);  // without "vit."
    bare.emplace("decoder.decoder_embed.weight", torch::zeros({1}));
    QVERIFY(loadInto(*PretrainedEncoder(tinyEncoder(EncoderFamily::kMae)), encoderTensors(EncoderFamily::kMae, bare),
                     Strictness::kExact)
                .ok());
    for (const auto& [name, tensor] : namedState(*siglip)) whole.emplace(name, tensor);
    for (const char* name : {"text_model.embeddings.weight", "logit_scale", "vision_model.head.probe",
                             "vision_model.embeddings.position_ids"})
      whole.emplace(name, torch::zeros({1}));
    QVERIFY(loadInto(*PretrainedEncoder(tinyEncoder(EncoderFamily::kSiglip2)),
                     encoderTensors(EncoderFamily::kSiglip2, whole), Strictness::kExact)
                .ok());
    whole.emplace("vision_model.something_else", torch::zeros({1}));
    QVERIFY(!loadInto(*PretrainedEncoder(tinyEncoder(EncoderFamily::kSiglip2)),
                      encoderTensors(EncoderFamily::kSiglip2, whole), Strictness::kExact)
                 .ok());
  }

  void readsHuggingFaceConfigurations() {
    const auto dinov2 = pretrainedEncoderOptions(nlohmann::json::parse(
        R"({"model_type": "dinov2_with_registers", "hidden_size": 1536, "num_hidden_layers": 40, "num_attention_heads": 24, "patch_size": 14,
            "image_size": 518, "mlp_ratio": 4, "use_swiglu_ffn": true, "num_register_tokens": 4})"));
    QVERIFY(dinov2.ok() && dinov2->use_swiglu && dinov2->intermediate_size == 4096);  // the giant model
    const auto siglip = pretrainedEncoderOptions(nlohmann::json::parse(
        R"({"model_type": "siglip", "vision_config": {"hidden_size": 32, "image_size": 256, "patch_size": 16, "num_hidden_layers": 2}})"));
    QVERIFY(siglip.ok() && siglip->family == EncoderFamily::kSiglip2 && siglip->activation == GeluKind::kTanh &&
            siglip->depth == 2);
    QVERIFY(errorOf(R"({"model_type": "clip"})").find("clip") != std::string::npos);
    QVERIFY(errorOf(R"({"model_type": "vit_mae", "hidden_size": "wide"})").find("hidden_size") != std::string::npos);
    QVERIFY(errorOf(R"({"model_type": "vit_mae", "num_hidden_layers": 1000000})").find("num_hidden_layers") !=
            std::string::npos);
    QVERIFY(errorOf(R"({"model_type": "vit_mae", "hidden_act": "relu"})").find("hidden_act") != std::string::npos);
    QVERIFY(errorOf(R"({"model_type": "siglip"})").find("vision_config") != std::string::npos);
    QVERIFY(errorOf("[]") != "none");
  }
};
STUDIO_TEST(TestModelPresets)
#include "tst_model_presets.moc"
