// SPDX-License-Identifier: Apache-2.0
//
// Which network a set of weights is, told from names and shapes: the golden cases, published sizes, every layout, and
// files that only look like one.
#include <torch/torch.h>

#include <QTemporaryDir>
#include <QTest>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/base/run/atomic_file.h"
#include "core/checkpoint/checkpoint_contents.h"
#include "core/checkpoint/tensor_export.h"
#include "core/checkpoint/tensor_file.h"
#include "core/device/meta_scope.h"
#include "core/models/model_presets.h"
#include "tests/support/studio_test.h"

using namespace meanflow::core;
namespace base = meanflow::base;
namespace fs = std::filesystem;
using Json = nlohmann::json;

namespace {

#define VERIFY_HAS(text, part) QVERIFY2((text).find(part) != std::string::npos, (text).c_str())

std::string golden(const std::string& file) { return meanflow::testing::testsFolder() + "/golden/" + file; }

Json configOf(const std::string& name) {
  return Json::parse(base::readFile(golden(name + "/case.json")).value()).at("config");
}

CheckpointContents contentsAt(const std::string& path, const KnownSizes& known = {}) {
  return contentsOf(Checkpoint::open(path).value(), known).value();
}

/// Names and shapes of a network's state.
TensorShapes shapesOf(const RecognisedModel& model) {
  TensorShapes::Map shapes;
  const auto network = networkTensors(model).value();  // a name for it: the loop alone would not keep it
  for (const auto& [name, tensor] : network) shapes[name] = tensor.shape;
  return TensorShapes(shapes);
}

RecognisedModel ddtModel(const char* size, bool is_student, std::int64_t side) {
  RecognisedModel model{.kind = ModelKind::kDdt};
  model.sizes = ddtPreset(size, is_student, side);
  return model;
}

std::vector<std::int64_t> numbers(const Json& json) {
  return json.is_array() ? json.get<std::vector<std::int64_t>>() : std::vector{json.get<std::int64_t>()};
}

/// Head counts as DiT-DH uses them: one number stands for both parts.
std::vector<std::int64_t> both(std::vector<std::int64_t> heads) {
  if (heads.size() == 1) heads.push_back(heads[0]);
  return heads;
}

const DdtOptions& ddtOf(const CheckpointContents& contents) {
  return std::get<DdtOptions>(contents.parts.at(0).model.sizes);
}

}  // namespace

class TestRecognition : public QObject {
  Q_OBJECT
 private:
  QTemporaryDir folder_;
  std::string path(const std::string& name) const {
    return folder_.filePath(QString::fromStdString(name)).toStdString();
  }
  TensorMap weights_;  ///< Of the golden teacher.

 private Q_SLOTS:
  void initTestCase() { weights_ = loadTensors(golden("ddt_dh/weights.safetensors")).value(); }

  void everySizeOfAGoldenDitDhIsInferred_data() {
    QTest::addColumn<bool>("is_student");
    for (const auto* name : {"ddt_dh", "ddt_dh_qknorm_mlp_ln", "ddt_dh_qknorm_rms_nopos", "ddt_dh_patch2_repaired"})
      QTest::newRow(name) << false;
    QTest::newRow("mf_student") << true;
  }
  void everySizeOfAGoldenDitDhIsInferred() {
    QFETCH(bool, is_student);
    const std::string name = QTest::currentDataTag();
    const auto config = configOf(name);
    const auto contents = contentsAt(golden(name + "/weights.safetensors"));
    QCOMPARE(contents.parts.size(), std::size_t(1));
    const auto& model = contents.parts[0].model;
    QVERIFY2(model.unknown.empty() && model.assumed.empty(), model.description().c_str());
    const auto& options = ddtOf(contents);
    QCOMPARE(options.has_r_embedder, is_student);
    QCOMPARE(model.isStudent(), is_student);
    QCOMPARE(options.input_size, config.at("input_size").get<std::int64_t>());
    QCOMPARE(options.in_channels, config.at("in_channels").get<std::int64_t>());
    QCOMPARE(options.num_classes, config.at("num_classes").get<std::int64_t>());
    QVERIFY(options.class_dropout_prob > 0);
    QCOMPARE(options.network.patch_size, config.at("patch_size").get<std::int64_t>());
    QCOMPARE(options.network.hidden_size, numbers(config.at("hidden_size")));
    QCOMPARE(options.network.depth, numbers(config.at("depth")));
    QCOMPARE(options.network.num_heads, both(numbers(config.at("num_heads"))));
    QCOMPARE(options.network.mlp_ratio, config.at("mlp_ratio").get<double>());
    QCOMPARE(options.network.use_qknorm, config.at("use_qknorm").get<bool>());
    QCOMPARE(options.network.use_swiglu, config.at("use_swiglu").get<bool>());
    QCOMPARE(options.network.use_rope, config.at("use_rope").get<bool>());
    QCOMPARE(options.network.use_rmsnorm, config.at("use_rmsnorm").get<bool>());
    QCOMPARE(options.network.use_pos_embed, config.at("use_pos_embed").get<bool>());
    const auto checkpoint = Checkpoint::open(golden(name + "/weights.safetensors")).value();
    const auto mapping = mapPart(checkpoint, contents.parts[0], WeightSet::kAverage).value();
    QVERIFY2(mapping.isComplete() && mapping.computed.empty(), mapping.summary().c_str());
    QCOMPARE(mapping.matched.size(), checkpoint.tensors().size());
  }
  void equalWidthsDoNotShowWhereTheHeadBegins() {
    const auto file = golden("ddt_dh_same_width/weights.safetensors");
    QCOMPARE(contentsAt(file).parts.at(0).model.unknown, std::vector<std::string>{"depth"});
    const auto checkpoint = Checkpoint::open(file).value();
    const auto contents = contentsOf(checkpoint, {.depth = {1, 1}}).value();
    QVERIFY(contents.parts[0].model.unknown.empty());
    QCOMPARE(ddtOf(contents).network.num_heads, (std::vector<std::int64_t>{4, 4}));
    QVERIFY(mapPart(checkpoint, contents.parts[0], WeightSet::kAverage)->isComplete());
    // Depths that do not add up to the file's blocks are no help.
    QCOMPARE(contentsAt(file, {.depth = {28, 2}}).parts[0].model.unknown, std::vector<std::string>{"depth"});
  }
  void headsWithoutRopeTablesAreSaidToBeUnknown() {
    auto tensors = weights_;
    std::erase_if(tensors, [](const auto& entry) { return entry.first.find("_rope.") != std::string::npos; });
    saveTensors(path("no_rope.safetensors"), tensors).value();
    const auto checkpoint = Checkpoint::open(path("no_rope.safetensors")).value();
    QCOMPARE(contentsOf(checkpoint)->parts.at(0).model.unknown, std::vector<std::string>{"num_heads"});
    VERIFY_HAS(mapPart(checkpoint, contentsOf(checkpoint)->parts[0], WeightSet::kAverage).error().message,
               "the tensors do not tell num_heads");
    const auto contents = contentsOf(checkpoint, {.num_heads = {3, 2}}).value();
    QCOMPARE(ddtOf(contents).network.num_heads, (std::vector<std::int64_t>{3, 2}));
    const auto mapping = mapPart(checkpoint, contents.parts[0], WeightSet::kAverage).value();
    QVERIFY2(mapping.isComplete(), mapping.summary().c_str());
    QCOMPARE(mapping.computed.size(), std::size_t(4));
    for (const auto& name : mapping.computed)  // what the network computes is what the file held, but for rounding
      QVERIFY2(torch::allclose(computedTensor(contents.parts[0].model, name), weights_.at(name), 1e-5, 1e-6),
               name.c_str());
  }
  void goldenLightningDitsAreInferred() {
    for (const std::string name : {"lightningdit_p1", "lightningdit_p2"}) {
      const auto config = configOf(name);
      const auto checkpoint = Checkpoint::open(golden(name + "/weights.safetensors")).value();
      const auto contents = contentsOf(checkpoint).value();
      const auto& options = std::get<LightningDitOptions>(contents.parts.at(0).model.sizes);
      QCOMPARE(options.input_size, config.at("input_size").get<std::int64_t>());
      QCOMPARE(options.patch_size, config.at("patch_size").get<std::int64_t>());
      QCOMPARE(options.in_channels, config.at("in_channels").get<std::int64_t>());
      QCOMPARE(options.hidden_size, config.at("hidden_size").get<std::int64_t>());
      QCOMPARE(options.depth, config.at("depth").get<std::int64_t>());
      QCOMPARE(options.num_heads, config.at("num_heads").get<std::int64_t>());
      QCOMPARE(options.num_classes, config.at("num_classes").get<std::int64_t>());
      QCOMPARE(options.learn_sigma, config.value("learn_sigma", false));
      QVERIFY(mapPart(checkpoint, contents.parts[0], WeightSet::kAverage)->isComplete());
    }
  }
  void goldenAutoencodersAreInferred_data() {
    QTest::addColumn<QString>("family");
    QTest::newRow("rae_dinov2") << "dinov2";
    QTest::newRow("rae_mae") << "mae";
    QTest::newRow("rae_siglip2") << "siglip2";
  }
  void goldenAutoencodersAreInferred() {
    QFETCH(QString, family);
    const std::string name = QTest::currentDataTag();
    const auto config = configOf(name);
    const auto expected = pretrainedEncoderOptions(config.at("encoder")).value();
    auto encoder = contentsAt(golden(name + "/encoder.safetensors"));
    QCOMPARE(encoder.parts.size(), std::size_t(1));
    // Width 32 is no published one, so heads are unknown until a config.json says them.
    QCOMPARE(encoder.parts[0].model.unknown, std::vector<std::string>{"num_heads"});
    const auto checkpoint = Checkpoint::open(golden(name + "/encoder.safetensors")).value();
    encoder = contentsOf(checkpoint, {.config_json = config.at("encoder").dump()}).value();
    const auto& options = std::get<PretrainedEncoderOptions>(encoder.parts[0].model.sizes);
    QCOMPARE(std::string(toString(options.family)), family.toStdString());
    QCOMPARE(options.hidden_size, expected.hidden_size);
    QCOMPARE(options.depth, expected.depth);
    QCOMPARE(options.num_heads, expected.num_heads);
    QCOMPARE(options.intermediate_size, expected.intermediate_size);
    QCOMPARE(options.patch_size, expected.patch_size);
    QCOMPARE(options.image_size, expected.image_size);
    QCOMPARE(options.num_registers, expected.num_registers);
    QCOMPARE(options.layer_norm_eps, expected.layer_norm_eps);
    QVERIFY(options.activation == expected.activation);
    QVERIFY2(mapPart(checkpoint, encoder.parts[0], WeightSet::kAverage)->isComplete(),
             mapPart(checkpoint, encoder.parts[0], WeightSet::kAverage)->summary().c_str());
    if (family == "siglip2") QVERIFY(!encoder.parts[0].ignored.empty());  // the pooling head

    const auto decoder = Checkpoint::open(golden(name + "/decoder.safetensors")).value();
    const auto part = contentsOf(decoder, {.num_heads = {2}})->parts.at(0);
    const auto& sizes = std::get<VitDecoderOptions>(part.model.sizes);
    QCOMPARE(sizes.latent_channels, expected.hidden_size);
    QCOMPARE(sizes.network.hidden_size, config.at("decoder").at("decoder_hidden_size").get<std::int64_t>());
    QCOMPARE(sizes.network.depth, config.at("decoder").at("decoder_num_hidden_layers").get<std::int64_t>());
    QCOMPARE(sizes.intermediate_size, config.at("decoder").at("decoder_intermediate_size").get<std::int64_t>());
    QCOMPARE(sizes.network.patch_size, config.at("decoder_patch_size").get<std::int64_t>());
    QCOMPARE(sizes.latent_side,
             config.at("encoder_input_size").get<std::int64_t>() / static_cast<std::int64_t>(expected.patch_size));
    QCOMPARE(sizes.output_head, std::string("patch"));
    QVERIFY(mapPart(decoder, part, WeightSet::kAverage)->isComplete());

    const auto statistics = contentsAt(golden(name + "/stat.safetensors"));
    QVERIFY(statistics.parts.at(0).model.kind == ModelKind::kLatentStatistics);
  }
  void sitAndDitAreKnownByNameAndSize() {
    const auto contents = contentsAt(golden("baseline_dit/weights.safetensors"));
    QVERIFY(contents.parts.at(0).model.kind == ModelKind::kPlainDit);
    VERIFY_HAS(contents.description(), "SiT or DiT 32/2");
    VERIFY_HAS(contents.description(), "latents 4x8x8, 10 classes");
    KnownSizes known;
    known.model_name = "SiT-XL/2";  // what args.model of the official files says
    VERIFY_HAS(contentsAt(golden("baseline_sit/weights.safetensors"), known).description(), "SiT 32/2");
    TensorShapes::Map xl = {
        {"x_embedder.proj.weight", {1152, 4, 2, 2}}, {"pos_embed", {1, 256, 1152}},
        {"t_embedder.mlp.0.weight", {1152, 256}},    {"blocks.27.mlp.fc1.weight", {4608, 1152}},
        {"blocks.0.mlp.fc1.weight", {4608, 1152}},   {"y_embedder.embedding_table.weight", {1001, 1152}}};
    const auto parts = recogniseModels(TensorShapes(xl), known);
    VERIFY_HAS(parts.at(0).model.description(), "SiT-XL/2");
    VERIFY_HAS(parts.at(0).model.description(), "latents 4x32x32, 1000 classes");
  }

  void publishedSizesHaveTheirNameAndTheirParameters() {
    struct Published {
      const char* size;
      bool is_student;
      std::int64_t side, num_parameters;
    };
    for (const auto& [size, is_student, side, num_parameters] : {Published{"XL", false, 16, 838'675'796},
                                                                 {"XL", true, 16, 840'595'284},
                                                                 {"XL", true, 32, 841'480'020},
                                                                 {"S", false, 16, 196'455'764}}) {
      const auto parts = recogniseModels(shapesOf(ddtModel(size, is_student, side)));
      QCOMPARE(parts.size(), std::size_t(1));
      QCOMPARE(parts[0].model.num_parameters, num_parameters);
      QCOMPARE(parts[0].model.size_name, std::string(size));
      QVERIFY(parts[0].model.unknown.empty());
    }
    const auto student = recogniseModels(shapesOf(ddtModel("XL", true, 16)));
    QCOMPARE(student[0].model.description(),
             std::string("DiT-DH XL, MeanFlow student, 841 M parameters, latents 768x16x16, 1000 classes"));
    RecognisedModel decoder{.kind = ModelKind::kVitDecoder};
    decoder.sizes = vitDecoderPreset("XL", 32);
    const auto found = recogniseModels(shapesOf(decoder));
    const auto& options = std::get<VitDecoderOptions>(found.at(0).model.sizes);
    QCOMPARE(found[0].model.num_parameters, std::int64_t(416'237'440));
    QCOMPARE(options.network.num_heads, std::int64_t(16));
    QCOMPARE(found[0].model.assumed, std::vector<std::string>{"num_heads 16: as published for this width"});
    for (const auto* name : {"dinov2-b", "mae-b", "siglip2-b"}) {
      RecognisedModel encoder{.kind = ModelKind::kPretrainedEncoder};
      encoder.sizes = encoderPreset(name);
      const auto parts = recogniseModels(shapesOf(encoder));
      QCOMPARE(parts.at(0).model.size_name, std::string("B"));
      QCOMPARE(std::get<PretrainedEncoderOptions>(parts[0].model.sizes).num_heads, std::int64_t(12));
    }
  }
  void aTeacherLacksExactlyTheFiveTensorsOfTheSecondTimeEmbedder() {
    const auto student = networkTensors(ddtModel("XL", true, 16)).value();
    const auto mapping = mapWeights(student, shapesOf(ddtModel("XL", false, 16)));
    QCOMPARE(mapping.report.missing,
             (std::vector<std::string>{"r_embedder.W", "r_embedder.mlp.0.bias", "r_embedder.mlp.0.weight",
                                       "r_embedder.mlp.2.bias", "r_embedder.mlp.2.weight"}));
    QVERIFY(mapping.report.unexpected.empty() && mapping.report.mis_shaped.empty());
    const auto back = mapWeights(networkTensors(ddtModel("XL", false, 16)).value(), shapesOf(ddtModel("XL", true, 16)));
    QCOMPARE(back.report.unexpected.size(), std::size_t(5));
    QVERIFY(back.report.missing.empty());
  }
  void aCheckpointOf256PixelsDoesNotFitANetworkFor512() {
    const auto mapping =
        mapWeights(networkTensors(ddtModel("XL", true, 32)).value(), shapesOf(ddtModel("XL", true, 16)));
    QCOMPARE(mapping.report.mis_shaped.size(), std::size_t(5));  // positions, and two rope tables a part
    VERIFY_HAS(mapping.summary(), "pos_embed: file [1, 256, 1152], network [1, 1024, 1152]");
  }

  void everyPublishedLayoutGivesTheSameNetwork_data() {
    QTest::addColumn<QString>("file");
    QTest::addColumn<QString>("raw");
    QTest::addColumn<QString>("average");
    const TensorMap ema = {weights_.begin(), weights_.end()};
    TensorMap prefixed, lightning;
    for (const auto& [name, tensor] : weights_) {
      prefixed["module._orig_mod." + name] = tensor;
      lightning["denoiser." + name] = tensor, lightning["ema_denoiser._orig_mod." + name] = tensor;
    }
    const auto add = [&](const char* name, const char* raw, const char* average) {
      QTest::newRow(name) << QString::fromStdString(path(name)) << raw << average;
    };
    savePt(path("bare.pt"), weights_).value();
    add("bare.pt", "", "-");
    savePt(path("prefixed.pt"), prefixed).value();
    add("prefixed.pt", "", "-");
    savePt(path("ema.pt"), {{"ema", ema}}, {}).value();
    add("ema.pt", "-", "ema");
    savePt(path("latest.pt"), {{"model", weights_}, {"ema", ema}}, {{"train_steps", std::int64_t{77}}}).value();
    add("latest.pt", "model", "ema");
    savePt(path("ep-0000010.pt"), {{"model", prefixed}, {"ema", ema}},
           {{"step", std::int64_t{77}}, {"epoch", std::int64_t{10}}})
        .value();
    add("ep-0000010.pt", "model", "ema");
    savePt(path("model_only.pt"), {{"model", weights_}}, {}).value();
    add("model_only.pt", "model", "-");
    savePt(path("lightning.ckpt"), {{"state_dict", lightning}}, {{"global_step", std::int64_t{77}}}).value();
    add("lightning.ckpt", "state_dict.denoiser", "state_dict.ema_denoiser");
    saveTensors(path("x.safetensors"), weights_).value();
    add("x.safetensors", "", "-");
    saveNpz(path("x.npz"), weights_).value();
    add("x.npz", "", "-");
  }
  void everyPublishedLayoutGivesTheSameNetwork() {
    QFETCH(QString, file);
    QFETCH(QString, raw);
    QFETCH(QString, average);
    const auto checkpoint = Checkpoint::open(file.toStdString()).value();
    const auto contents = contentsOf(checkpoint).value();
    QCOMPARE(contents.parts.size(), std::size_t(1));
    const auto& part = contents.parts[0];
    QCOMPARE(part.raw.empty(), raw == "-");
    QCOMPARE(part.average.empty(), average == "-");
    if (raw != "-") QCOMPARE(part.raw_group, raw.toStdString());
    if (average != "-") QCOMPARE(part.average_group, average.toStdString());
    DiTwDDTHead network(ddtOf(contents));
    for (const auto set : {WeightSet::kAverage, WeightSet::kRaw}) {
      {
        const torch::NoGradGuard no_grad;
        for (auto& parameter : network->parameters()) parameter.zero_();
      }
      const auto loaded = loadPart(*network, checkpoint, part, set);
      QVERIFY2(loaded.ok(), loaded ? "" : loaded.error().message.c_str());
      for (const auto& [name, tensor] : namedState(*network))
        QVERIFY2(torch::equal(tensor, weights_.at(name)), name.c_str());
    }
    if (file.contains("latest") || file.contains("ep-") || file.contains("lightning"))
      QCOMPARE(contents.step.value_or(-1), std::int64_t(77));
    QCOMPARE(contents.notes.size(), std::size_t(file.contains("model_only") ? 1 : 0));
  }
  void averagesThatLeaveAWeightOutAreNotFilledFromTheWeights() {
    auto ema = weights_;
    ema.erase("blocks.1.attn.qkv.weight");
    ema.erase("enc_feat_rope.freqs_cos");  // a table may come from beside
    savePt(path("hole.pt"), {{"model", weights_}, {"ema", ema}}, {}).value();
    const auto checkpoint = Checkpoint::open(path("hole.pt")).value();
    const auto part = contentsOf(checkpoint)->parts.at(0);
    const auto mapping = mapPart(checkpoint, part, WeightSet::kAverage).value();
    QCOMPARE(mapping.report.missing, std::vector<std::string>{"blocks.1.attn.qkv.weight"});
    QVERIFY(mapPart(checkpoint, part, WeightSet::kRaw)->isComplete());
    DiTwDDTHead network(ddtOf(contentsOf(checkpoint).value()));
    VERIFY_HAS(loadPart(*network, checkpoint, part, WeightSet::kAverage).error().message,
               "does not fit the configured network");
  }
  void aDumpOfTheFirstStageHoldsDecoderAndEncoder() {
    TensorMap dump;
    const auto decoder = loadTensors(golden("rae_dinov2/decoder.safetensors")).value(),
               frozen = loadTensors(golden("rae_dinov2/encoder.safetensors")).value();
    for (const auto& [name, tensor] : decoder) dump["module.decoder." + name] = tensor;
    for (const auto& [name, tensor] : frozen)
      if (name != "layernorm.weight" && name != "layernorm.bias")  // the wrapper takes them away
        dump["module.encoder.encoder." + name] = tensor;
    savePt(path("ep-last.pt"), {{"model", dump}, {"ema", dump}, {"disc", {{"heads.0.w", torch::ones({2})}}}}, {})
        .value();
    const auto checkpoint = Checkpoint::open(path("ep-last.pt")).value();
    const auto contents = contentsOf(checkpoint, {.num_heads = {2}}).value();
    QCOMPARE(contents.parts.size(), std::size_t(2));
    QVERIFY(contents.parts[0].model.kind == ModelKind::kVitDecoder);
    QVERIFY(contents.parts[1].model.kind == ModelKind::kPretrainedEncoder);
    QVERIFY(mapPart(checkpoint, contents.parts[0], WeightSet::kAverage)->isComplete());
    const auto encoder = mapPart(checkpoint, contents.parts[1], WeightSet::kAverage).value();
    QVERIFY2(encoder.isComplete(), encoder.summary().c_str());
    QCOMPARE(encoder.computed, (std::vector<std::string>{"layernorm.bias", "layernorm.weight"}));
    QCOMPARE(contents.num_other_tensors, std::int64_t(1));
  }

  void fragmentsAndStrangersAreUnknown_data() {
    QTest::addColumn<QString>("file");
    for (const auto* name : {"raw_state_dict.pt", "ema_only.pt", "latest.pt", "wrapped_prefix.pt", "legacy_format.pt"})
      QTest::newRow(name) << QString::fromStdString(golden(std::string("checkpoints_pt/") + name));
  }
  void fragmentsAndStrangersAreUnknown() {
    QFETCH(QString, file);
    const auto contents = contentsAt(file.toStdString());
    QVERIFY(contents.parts.empty());
    QCOMPARE(contents.optimizer_group.has_value(), file.endsWith("latest.pt"));
    QVERIFY(contents.num_other_tensors > 5);
  }
  void oddNamesAndShapesAreNoReasonToFail() {
    const TensorShapes::Map base_map = [&] {
      TensorShapes::Map map;
      for (const auto& [name, tensor] : weights_) map[name] = tensor.sizes().vec();
      return map;
    }();
    for (const auto& entry : base_map)  // every tensor in turn gone, flat, empty, huge, of four axes
      for (const TensorShapes::Shape& shape :
           {TensorShapes::Shape{-1}, {}, {0}, {7}, {1, 2, 3, 4}, {std::int64_t{1} << 40, 3}}) {
        auto map = base_map;
        if (shape == TensorShapes::Shape{-1})
          map.erase(entry.first);
        else
          map[entry.first] = shape;
        for (const auto& part : recogniseModels(TensorShapes(map)))
          if (const auto network = networkTensors(part.model))
            QVERIFY2(!mapWeights(*network, TensorShapes(map)).isComplete() || shape == TensorShapes::Shape{-1} ||
                         shape == entry.second,
                     entry.first.c_str());
      }
    auto map = base_map;
    map["blocks.99999999999999999999.x"] = {1}, map["blocks.-1.x"] = {1}, map["blocks..x"] = {1},
    map["blocks.2000.x"] = {1};
    QCOMPARE(TensorShapes(map).numLayers("blocks."), std::int64_t(4));
  }
  void theRatioOfAnMlpIsFoundWhateverTheWidth() {
    for (const double ratio : {4.0, 2.0, 2.5, 8.0 / 3.0, 3.3, 0.5}) {
      std::vector<std::pair<std::int64_t, std::int64_t>> swiglu, gelu;
      for (const std::int64_t width : {48, 64, 384, 1152, 2048}) {
        RecognisedModel model{.kind = ModelKind::kDdt};
        DdtOptions options;
        options.network = {
            .hidden_size = {width, width + 16}, .depth = {1, 1}, .num_heads = {4, 4}, .mlp_ratio = ratio};
        options.input_size = 2;
        for (const bool is_swiglu : {true, false}) {
          options.network.use_swiglu = is_swiglu;
          model.sizes = options;
          const auto shapes = shapesOf(model);
          const auto parts = recogniseModels(shapes);
          QVERIFY2(parts.size() == 1 && parts[0].model.unknown.empty(), std::to_string(width).c_str());
          QVERIFY(mapWeights(networkTensors(parts[0].model).value(), shapes).isComplete());
        }
      }
    }
  }
  void weightsThatAreNotFiniteAreRefused() {
    auto tensors = weights_;
    tensors["final_layer.linear.weight"] = torch::full_like(weights_.at("final_layer.linear.weight"), NAN);
    savePt(path("nan.pt"), tensors).value();
    const auto checkpoint = Checkpoint::open(path("nan.pt")).value();
    const auto contents = contentsOf(checkpoint).value();
    DiTwDDTHead network(ddtOf(contents));
    VERIFY_HAS(loadPart(*network, checkpoint, contents.parts[0], WeightSet::kAverage).error().message,
               "tensor 'final_layer.linear.weight' has 512 values that are not finite");
  }
};
STUDIO_TEST(TestRecognition)
#include "tst_recognition.moc"
