// SPDX-License-Identifier: Apache-2.0
//
// The configurations of sony/mf-rae and bytetriper/RAE against our presets, and how their dialects are read.
#include <QTest>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "core/base/config/config_io.h"
#include "core/base/config/official_config.h"
#include "tests/support/studio_test.h"

using namespace meanflow::base;
using Json = nlohmann::ordered_json;

namespace {

#define VERIFY_HAS(text, part) QVERIFY2((text).find(part) != std::string::npos, (text).c_str())

/// Published files as flat key-value pairs, with the preset that stands for each.
Json publishedCases() {
  std::ifstream stream(meanflow::testing::testsFolder() + "/base/data/official_values.json");
  return Json::parse(stream).at("cases");
}

/// The file again, nested. JSON is YAML.
std::string yamlOf(const Json& values) {
  Json root = Json::object();
  for (const auto& [key, value] : values.items()) {
    Json* node = &root;
    std::size_t start = 0;
    for (auto dot = key.find('.'); dot != std::string::npos; dot = key.find('.', start)) {
      node = &(*node)[key.substr(start, dot - start)];
      start = dot + 1;
    }
    (*node)[key.substr(start)] = value;
  }
  return root.dump(1);
}

Result<OfficialConfig> convert(const std::string& yaml, const std::string& name, const OfficialOptions& options = {}) {
  const auto root = parseYaml(yaml, name);
  if (!root) return root.error();
  return convertOfficialConfig(*root, name, options);
}

std::string errorOf(const std::string& yaml, const std::string& name = "configs/cmt/x.yaml") {
  const auto converted = convert(yaml, name);
  return converted ? "no error" : converted.error().message;
}

constexpr const char* kAutoencoder = R"(stage_1:
  target: stage1.RAE
  params:
    encoder_cls: 'Dinov2withNorm'
    encoder_config_path: 'facebook/dinov2-with-registers-base'
    encoder_input_size: 224
    encoder_params: {'dinov2_path': 'facebook/dinov2-with-registers-base', 'normalize': True}
    decoder_config_path: 'configs/decoder/ViTXL'
    noise_tau: 0.
)";
const std::string kNetwork =
    "stage_2:\n  target: stage2.models.DDT.DiTwDDTHead\n  params: {input_size: 16, in_channels: 768}\n";

/// Keys whose value must arrive as it is, whatever the file: ours, with %1 for the stage that the file trains.
struct SameValue {
  const char* official;
  const char* ours;
};
constexpr SameValue kSameValues[] = {
    {"stage_1.params.encoder_input_size", "encoder.input_size"},
    {"stage_1.params.noise_tau", "decoder.noise_tau"},
    {"stage_1.params.pretrained_decoder_path", "decoder.weights"},
    {"stage_1.params.normalization_stat_path", "decoder.statistics"},
    {"misc.num_classes", "data.num_classes"},
    {"misc.time_dist_shift_dim", "teacher.time.shift_dim"},
    {"misc.time_dist_shift_base", "teacher.time.shift_base"},
    {"training.global_seed", "seed"},
    {"training.num_workers", "data.loader_threads"},
    {"training.grad_accum_steps", "%1.training.accumulation"},
    {"training.ema_decay", "%1.training.ema_decay"},
    {"training.clip_grad", "%1.training.clip_grad"},
    {"training.base_lr", "%1.training.lr"},
    {"training.final_lr", "%1.training.final_lr"},
    {"training.optimizer.lr", "%1.training.lr"},
    {"training.optimizer.weight_decay", "%1.training.weight_decay"},
    {"training.scheduler.type", "%1.training.schedule"},
    {"training.scheduler.final_lr", "%1.training.final_lr"},
    {"training.scheduler.warmup_from_zero", "%1.training.warmup_from_zero"},
    {"training.log_every", "%1.training.log_every"},
    {"training.log_interval", "%1.training.log_every"},
    {"training.ckpt_every", "%1.training.checkpoint_every"},
    {"training.sample_every", "%1.training.sample_every"},
    {"eval.eval_interval", "evaluation.every"},
    {"eval.eval_model", "evaluation.score_model"},
    {"eval.data_path", "evaluation.data_path"},
    {"eval.reference_npz_path", "evaluation.reference"},
    {"guidance.scale", "sampling.guidance.scale"},
    {"guidance.t_min", "sampling.guidance.t_min"},
    {"guidance.t-max", "sampling.guidance.t_max"},
    {"guidance.method", "sampling.guidance.method"},
    {"guidance.guidance_model.params.hidden_size", "sampling.guidance.model.hidden_size"},
    {"guidance.guidance_model.params.depth", "sampling.guidance.model.depth"},
    {"guidance.guidance_model.ckpt", "sampling.guidance.weights"},
    {"gan.loss.disc_weight", "decoder.losses.adversarial_weight"},
    {"gan.loss.perceptual_weight", "decoder.losses.perceptual_weight"},
    {"gan.loss.max_d_weight", "decoder.losses.max_adaptive_weight"},
    {"gan.disc.arch.ks", "decoder.losses.discriminator.kernel_size"},
    {"gan.disc.arch.dino_ckpt_path", "decoder.losses.discriminator.weights"},
    {"gan.disc.optimizer.lr", "decoder.losses.discriminator.lr"},
};
/// Only where the released code builds what the section says: not in the CMT and MeanFlow trainers.
constexpr SameValue kNetworkValues[] = {{"stage_2.params.hidden_size", "teacher.model.hidden_size"},
                                        {"stage_2.params.depth", "teacher.model.depth"},
                                        {"stage_2.params.num_heads", "teacher.model.num_heads"},
                                        {"stage_2.params.mlp_ratio", "teacher.model.mlp_ratio"},
                                        {"stage_2.params.patch_size", "teacher.model.patch_size"},
                                        {"stage_2.params.use_qknorm", "teacher.model.use_qknorm"},
                                        {"stage_2.params.use_swiglu", "teacher.model.use_swiglu"},
                                        {"stage_2.params.use_rope", "teacher.model.use_rope"},
                                        {"stage_2.params.use_rmsnorm", "teacher.model.use_rmsnorm"},
                                        {"stage_2.params.use_pos_embed", "teacher.model.use_pos_embed"},
                                        {"stage_2.params.class_dropout_prob", "teacher.label_dropout"}};

/// An official value in our spelling.
std::string spelled(const Json& value) {
  if (value.is_string()) {
    RunConfig config;
    config.data.path = value.get<std::string>();
    return getValue(config, "data.path").value();
  }
  if (value.is_array())
    return "[" + std::to_string(value[0].get<std::int64_t>()) + ", " + std::to_string(value[1].get<std::int64_t>()) +
           "]";
  if (value.is_boolean()) return value.get<bool>() ? "true" : "false";
  RunConfig config;
  config.evaluation.guidance.scale = value.get<double>();
  return getValue(config, "evaluation.guidance.scale").value();
}

}  // namespace

class TestOfficialConfig : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void everyPublishedFileHasAPresetWithTheSameValues_data() {
    QTest::addColumn<QString>("json");
    for (const auto& entry : publishedCases())
      QTest::newRow(entry.at("preset").get<std::string>().c_str()) << QString::fromStdString(entry.dump());
  }
  void everyPublishedFileHasAPresetWithTheSameValues() {
    QFETCH(QString, json);
    const auto entry = Json::parse(json.toStdString());
    const auto& values = entry.at("values");
    const auto overrides = entry.at("overrides").get<std::vector<std::string>>();
    const auto preset = loadConfig(entry.at("preset").get<std::string>());
    QVERIFY2(preset.ok(), preset.ok() ? "" : preset.error().message.c_str());

    // By the conversion: all keys.
    const auto file = entry.at("file").get<std::string>();
    auto official = convert(yamlOf(values), file, {.overrides = overrides});
    QVERIFY2(official.ok(), official.ok() ? "" : official.error().message.c_str());
    for (const auto& assignment : overrides) QVERIFY(applyOverride(official->config, assignment).ok());
    for (const auto& d : difference(official->config, *preset))
      QVERIFY2(false, (d.key + ": the file gives " + d.a + ", the preset " + d.b).c_str());

    // Without it: the preset's values are those of the file.
    const auto stage = preset->stages.empty() ? std::string("none") : preset->stages.front();
    const auto compare = [&](const SameValue& same) {
      if (!values.contains(same.official) || values.at(same.official).is_null()) return;
      auto key = QString(same.ours).replace("%1", QString::fromStdString(stage)).toStdString();
      const auto ours = getValue(*preset, key);
      QVERIFY2(ours.ok(), key.c_str());
      QVERIFY2(*ours == spelled(values.at(same.official)),
               (key + " = " + *ours + ", official " + values.at(same.official).dump()).c_str());
    };
    for (const auto& same : kSameValues) compare(same);
    if (stage != "cmt" && stage != "mean_flow")
      for (const auto& same : kNetworkValues) compare(same);
    else
      QCOMPARE(preset->teacher.model.hidden_size,
               (std::vector<std::int64_t>{1152, 2048}));  // what the released trainers build
  }

  void theReportNamesEveryKeyOfTheFile() {
    for (const auto& entry : publishedCases()) {
      const auto official = convert(yamlOf(entry.at("values")), entry.at("file").get<std::string>()).value();
      std::set<std::string> named;
      for (const auto& mapping : official.mappings) {
        named.insert(mapping.official_key);
        QVERIFY2(!mapping.key.empty() || !mapping.note.empty(),
                 mapping.official_key.c_str());  // nothing is ignored without a reason
      }
      for (const auto& [key, value] : entry.at("values").items())
        if (!value.is_null())
          QVERIFY2(named.contains(key), (entry.at("preset").get<std::string>() + ": " + key).c_str());
      VERIFY_HAS(mappingText(official), "stage_1.params.encoder_cls = ");
    }
  }

  void epochsAreTheReleasedLoopsSteps() {
    // RAE: 1,281,167 images, batch 1024 on 8 GPUs, the rest dropped.
    QCOMPARE(officialStepsPerEpoch(1281167, 1024, 1, 8, true), std::int64_t{1251});
    // mf-rae MFD 256: 8 GPUs x 4 micro-batches of 8; 20019 loader batches (the last is partial) make 5004 steps.
    QCOMPARE(officialStepsPerEpoch(1281167, 256, 4, 8, false), std::int64_t{5004});
    // CMT 256: 4 GPUs x 2 micro-batches of 1.
    QCOMPARE(officialStepsPerEpoch(1281167, 8, 2, 4, false), std::int64_t{160146});
    QCOMPARE(officialStepsPerEpoch(10, 64, 1, 1, true), std::int64_t{1});
  }

  void oneTrainingReadsTheSameInBothDialects() {
    const std::string flat =
        "training: {epochs: 8, global_batch_size: 1024, base_lr: 1e-4, final_lr: 1e-5, decay_start_epoch: 2, "
        "decay_end_epoch: 4, ckpt_every: 2502, log_every: 7}\n";
    const std::string sections =
        "training:\n  epochs: 8\n  global_batch_size: 1024\n  log_interval: 7\n  checkpoint_interval: 2\n"
        "  sample_every: 10000\n  optimizer: {lr: 1.0e-4, betas: [0.9, 0.95]}\n"
        "  scheduler: {type: linear, warmup_epochs: 2, decay_end_epoch: 4, final_lr: 1e-5}\n";
    const auto a = convert(kAutoencoder + kNetwork + flat, "x.yaml", {.overrides = {"stages=[teacher]"}});
    const auto b = convert(kAutoencoder + kNetwork + sections, "x.yaml");
    QVERIFY2(a.ok(), a.ok() ? "" : a.error().message.c_str());
    QVERIFY2(b.ok(), b.ok() ? "" : b.error().message.c_str());
    QCOMPARE(a->dialect, std::string("mf-rae"));
    QCOMPARE(b->dialect, std::string("RAE"));
    for (const auto& d : difference(a->config, b->config))
      QVERIFY2(false, (d.key + ": " + d.a + " and " + d.b).c_str());
    QCOMPARE(a->config.teacher.training.warmup_steps, std::int64_t{2502});
    QCOMPARE(a->config.teacher.training.warmup_from_zero, false);
  }

  void intervalsOfGuidanceMayBeDashed() {
    for (const std::string dash : {"-", "_"}) {
      const auto official = convert(
          kAutoencoder + kNetwork + "guidance: {method: cfg, scale: 2, t" + dash + "min: 0.1, t" + dash + "max: 0.7}\n",
          "s.yaml");
      QVERIFY2(official.ok(), official.ok() ? "" : official.error().message.c_str());
      QCOMPARE(official->config.sampling.guidance.t_min, 0.1);
      QCOMPARE(official->config.sampling.guidance.t_max, 0.7);
      QCOMPARE(official->warnings.empty(), dash == "_");
    }
  }

  void loadConfigTakesAnOfficialFileAndOverrides() {
    const auto config =
        parseConfig(kAutoencoder + kNetwork +
                        "training: {global_batch_size: 8, grad_accum_steps: 2}\nsampler: {params: {num_steps: 16}}\n",
                    "my.yaml", {"stages=[cmt]", "cmt.training.steps=77"});
    QVERIFY2(config.ok(), config.ok() ? "" : config.error().message.c_str());
    QCOMPARE(config->cmt.euler_steps, std::int64_t{15});
    QCOMPARE(config->cmt.training.steps, std::int64_t{77});
    QCOMPARE(config->cmt.training.batch_size, std::int64_t{512});
  }

  void mistakesNameTheLineAndTheNearestKey() {
    const std::string base = kAutoencoder;  // 9 lines
    VERIFY_HAS(errorOf(base + kNetwork + "training:\n  base_lr: 1e-4\n  emma_decay: 0.9\n"),
               "configs/cmt/x.yaml:15: training.emma_decay: unknown key of an official configuration; did you mean "
               "'training.ema_decay'?");
    VERIFY_HAS(errorOf(base + kNetwork + "trainning: {base_lr: 1e-4}\n"), "did you mean 'training'?");
    VERIFY_HAS(errorOf(base + kNetwork + "training:\n  epochs: many\n"),
               "x.yaml:14: training.epochs: expected a number, got 'many'");
    VERIFY_HAS(errorOf(base + kNetwork + "training:\n  ema_decay: 7\n"),
               "x.yaml:14: training.ema_decay: expected a value from 0 to");
    VERIFY_HAS(errorOf(base + kNetwork + "training:\n  epochs: 1\n  epochs: 2\n"),
               "x.yaml:15: training.epochs: duplicate key, first given in line 14");
    VERIFY_HAS(errorOf(base + kNetwork + "transport: {params: {path_type: Lineal}}\n"),
               "expected one of Linear, GVP, VP, got 'Lineal'");
    VERIFY_HAS(errorOf(base + kNetwork + "transport: {params: {time_dist_type: lognormal}}\n"),
               "expected uniform or logit-normal_MU_SIGMA");
    VERIFY_HAS(errorOf(base + kNetwork + "sampler: {params: {reverse: true}}\n"), "sampler.params.reverse: only false");
    VERIFY_HAS(errorOf(kNetwork), "stage_1 is missing");
    VERIFY_HAS(errorOf(base + "seed: 3\n"), "x.yaml:10: seed: is a key of this program in an official configuration");
    VERIFY_HAS(errorOf(base + kNetwork + "training: {epochs: '${misc.epochs}'}\n"), "interpolations");
    VERIFY_HAS(errorOf(base + "stage_2.ckpt: x.pt\n"), "stage_2.ckpt: unknown key");
    VERIFY_HAS(errorOf(base + kNetwork + "training: {base_lr: 1e-4}\n", "somewhere.yaml"), "add stages=[cmt]");
  }

  void bombsAreRefusedBeforeAnyConversion() {
    const std::string base = kAutoencoder;
    VERIFY_HAS(errorOf(base + "a: &a [1]\nb: *a\n"), "anchors");
    VERIFY_HAS(errorOf(base + "misc: " + std::string(100, '[')), "nested deeper");
  }

  void onlyOfficialFilesAreTakenForOnes() {
    const auto isOfficial = [](const char* yaml) { return isOfficialConfig(parseYaml(yaml, "x").value()); };
    QVERIFY(isOfficial("stage_1: {}"));
    QVERIFY(isOfficial("transport: {}\nsampler: {}"));
    QVERIFY(!isOfficial("training: {steps: 3}"));  // a slip in a file of ours
    QVERIFY(!isOfficial("teacher: {}\ntraining: {}\nguidance: {}"));
    QVERIFY(!isOfficial("[1, 2]"));
    for (const auto& name : presetNames()) {
      const auto path = configPath(name).value();
      QVERIFY2(!isOfficialConfig(parseYaml(readYamlText(path).value(), path).value()), path.c_str());
    }
  }

  void everyPresetParsesAndWritesBackEqual() {
    for (const auto& name : presetNames()) {
      const auto config = loadConfig(name);
      QVERIFY2(config.ok(), config.ok() ? "" : config.error().message.c_str());
      const auto again = parseConfig(toYaml(*config), name);
      QVERIFY2(again.ok(), again.ok() ? "" : again.error().message.c_str());
      QVERIFY2(difference(*config, *again).empty(), name.c_str());
    }
  }
};
STUDIO_TEST(TestOfficialConfig)
#include "tst_official_config.moc"
