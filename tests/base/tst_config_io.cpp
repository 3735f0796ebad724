// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <QTemporaryDir>
#include <fstream>

#include "core/base/config/config_io.h"
#include "core/base/config/resources.h"
#include "core/base/config/yaml_tree.h"
#include "tests/support/studio_test.h"

using namespace meanflow::base;

namespace {
std::string errorOf(const std::string& yaml, const std::vector<std::string>& overrides = {}) {
  const auto config = parseConfig(yaml, "my.yaml", overrides);
  return config ? "no error" : config.error().message;
}
bool isGiven(const YamlNode& tree, const std::string& key) {
  const YamlNode* node = &tree;
  for (std::size_t start = 0; node != nullptr && start < key.size();) {
    const auto dot = std::min(key.find('.', start), key.size());
    node = node->find(key.substr(start, dot - start));
    start = dot + 1;
  }
  return node != nullptr;
}
/// Settings of published networks, of large data and of image-quality scores: the demo keeps their defaults.
bool concernsOnlyOthers(const std::string& key) {
  constexpr const char* kPrefixes[] = {"data.num_",
                                       "data.crop",
                                       "data.resize_side",
                                       "data.flip",
                                       "data.loader_threads",
                                       "encoder.kind",
                                       "encoder.input_size",
                                       "encoder.weights",
                                       "decoder.intermediate_size",
                                       "decoder.weights",
                                       "decoder.statistics",
                                       "decoder.losses.",
                                       "teacher.architecture",
                                       "teacher.path",
                                       "teacher.prediction",
                                       "teacher.loss_weight",
                                       "teacher.train_fourier_and_positions",
                                       "teacher.weights",
                                       "teacher.time.shift_dim",
                                       "cmt.label_drop",
                                       "cmt.weights",
                                       "mean_flow.time_",
                                       "mean_flow.weights",
                                       "sampling.",
                                       "evaluation.every",
                                       "evaluation.score_model",
                                       "evaluation.data_path",
                                       "evaluation.reference",
                                       "evaluation.metrics"};
  for (const char* prefix : kPrefixes)
    if (key.starts_with(prefix)) return true;
  for (const char* suffix : {".training.accumulation", ".training.decay_end_step", ".training.warmup_from_zero"})
    if (key.ends_with(suffix)) return true;
  return false;
}
#define COMPARE_TEXT(actual, expected) QCOMPARE(QString::fromStdString(actual), QString::fromStdString(expected))
#define VERIFY_HAS(text, part) QVERIFY2((text).find(part) != std::string::npos, (text).c_str())
}  // namespace

class TestConfigIo : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void writtenConfigurationReadsBackEqual() {
    RunConfig config;
    config.data.path = "a \"quoted\" path: with # signs\n";
    config.teacher.training.lr = 0.1 + 0.2;
    config.stages = {"teacher", "cmt"};
    const auto again = parseConfig(toYaml(config), "config.yaml");
    QVERIFY2(again.ok(), again.ok() ? "" : again.error().message.c_str());
    QCOMPARE(difference(config, *again).size(), std::size_t{0});
    QCOMPARE(again->teacher.training.lr, 0.1 + 0.2);
    QCOMPARE(again->data.path, config.data.path);
  }
  void writtenConfigurationFollowsTheOrderOfDescription() {
    const auto text = toYaml(RunConfig{});
    QVERIFY(text.starts_with("seed: 0\ndevice: auto\n"));
    VERIFY_HAS(text, "teacher:\n  architecture: ddt\n  model:\n    patch_size: 1\n    hidden_size: [1152, 2048]\n");
    VERIFY_HAS(text, "encoder:\n  kind: trained\n  model:\n    patch_size: 16\n");
    VERIFY_HAS(text,
               "  guidance:\n    scale: 1\n    t_min: 0\n    t_max: 1\n  label_dropout: 0.1\n  label_drop: shared\n  "
               "weights: \"\"\n  training:\n    steps: 1000\n");
  }
  void scientificNotationAndBothBooleanSpellingsAreUnderstood() {
    const auto config = parseConfig(
        "mean_flow:\n  delta_t: 1e-4\n  clamp_times: False\n  adaptive_squared: True\nteacher: {training: {steps: "
        "1e3}}",
        "c");
    QVERIFY2(config.ok(), config.ok() ? "" : config.error().message.c_str());
    QCOMPARE(config->mean_flow.delta_t, 1e-4);
    QCOMPARE(config->mean_flow.clamp_times, false);
    QCOMPARE(config->mean_flow.adaptive_squared, true);
    QCOMPARE(config->teacher.training.steps, std::int64_t{1000});
  }
  void mistakesNameTheLineTheKeyAndTheRemedy_data() {
    QTest::addColumn<QString>("yaml");
    QTest::addColumn<QString>("message");
    const auto row = [](const char* name, const char* yaml, const char* message) {
      QTest::newRow(name) << QString(yaml) << QString(message);
    };
    row("typo", "seed: 1\nteacher:\n  training:\n    stepz: 3\n",
        "my.yaml:4: teacher.training.stepz: unknown key; did you mean 'teacher.training.steps'? (value '3')");
    row("wrong section", "clamp_times: true",
        "my.yaml:1: clamp_times: unknown key; did you mean 'mean_flow.clamp_times'?");
    row("type", "\nseed: many\n", "my.yaml:2: seed: expected an integer, got 'many'");
    row("fraction", "seed: 1.5\n", "my.yaml:1: seed: expected an integer, got '1.5'");
    row("quoted number", "seed: \"5\"\n", "my.yaml:1: seed: expected an integer, got '5'");
    row("range", "data:\n  held_out: 2\n", "my.yaml:2: data.held_out: expected a value from 0 to 0.9, got '2'");
    row("not a number", "data:\n  held_out: .nan\n", "my.yaml:2: data.held_out: expected a number");
    row("choice", "precision: fp23\n",
        "my.yaml:1: precision: expected one of fp32, tf32, bf16, got 'fp23'; did you mean");
    row("list element", "teacher: {model: {depth: [4, x]}}",
        "my.yaml:1: teacher.model.depth: expected an integer, got 'x'");
    row("list length", "teacher: {model: {depth: [1, 2, 3]}}",
        "my.yaml:1: teacher.model.depth: expected a list of 1 to 2 values, got '3'");
    row("list", "stages: teacher", "my.yaml:1: stages: expected a list such as [a, b], got 'teacher'");
    row("stage", "stages: [teacher, cmd]", "got 'cmd'; did you mean 'cmt'?");
    row("duplicate", "seed: 1\ndevice: cpu\nseed: 2\n", "my.yaml:3: seed: duplicate key, first given in line 1");
    row("section", "data: 5\n", "my.yaml:1: data: expected a section with keys below it, got '5'");
    row("value", "seed: {a: 1}\n", "my.yaml:1: seed: expected a value, got a section");
    row("empty", "seed:\n", "my.yaml:1: seed: expected a value, got nothing");
    row("syntax", "seed: 1\ndata: [1, 2\n", "not valid YAML");
    row("scalar document", "hello", "my.yaml:1: expected 'key: value' lines");
    row("alias", "seed: &a 1\nnum_workers: *a\n", "my.yaml:1: anchors (&name) are not accepted");
    row("tag", "seed: !!python/object:os.system 1", "my.yaml:1: tags (");
    row("key that is a list", "[a, b]: 1\n", "a key must be a single word");
    row("two documents", "seed: 1\n---\nseed: 2\n", "expected one YAML document");
  }
  void mistakesNameTheLineTheKeyAndTheRemedy() {
    QFETCH(QString, yaml);
    QFETCH(QString, message);
    const auto config = parseConfig(yaml.toStdString(), "my.yaml");
    QVERIFY(!config.ok());
    QVERIFY2(config.error().kind == ErrorKind::kUsage, "a mistake of the user");
    VERIFY_HAS(config.error().message, message.toStdString());
  }
  void bombsAreRefused() {
    std::string bomb = "a: &a [x, x]\n";
    for (char c = 'b'; c < 'k'; ++c) bomb += fmt::format("{0}: &{0} [*{1}, *{1}]\n", c, static_cast<char>(c - 1));
    VERIFY_HAS(errorOf(bomb), "anchors");
    VERIFY_HAS(errorOf(std::string(100, '[')), "my.yaml:1: nested deeper than 32");
    VERIFY_HAS(errorOf(std::string(100000, '[')), "my.yaml:1: nested deeper than 32");
    VERIFY_HAS(errorOf("# " + std::string(1 << 20, 'x')), "is refused");
    std::string wide = "stages: [";
    for (int i = 0; i < 200000; ++i) wide += "a,";
    VERIFY_HAS(errorOf(wide + "a]"), "more than 100000 values");
  }
  void overridesAreAppliedInOrderAndChecked() {
    const auto config =
        parseConfig("seed: 1", "c", {"seed=2", "teacher.model.depth=4,2", "cmt.training.lr = 1e-4", "seed=3"});
    QVERIFY2(config.ok(), config.ok() ? "" : config.error().message.c_str());
    QCOMPARE(config->seed, std::int64_t{3});
    QCOMPARE(config->teacher.model.depth, (std::vector<std::int64_t>{4, 2}));
    QCOMPARE(config->cmt.training.lr, 1e-4);
    COMPARE_TEXT(errorOf("", {"seed"}), "expected KEY=VALUE, got 'seed'");
    COMPARE_TEXT(errorOf("", {"sead=1"}), "sead: unknown key; did you mean 'seed'?");
    COMPARE_TEXT(errorOf("", {"data=1"}), "data: is a section, not a value");
    COMPARE_TEXT(errorOf("", {"seed=-1"}), "seed: expected a value from 0 to 9007199254740992, got '-1'");
  }
  void valuesCanBeReadAndSetByKey() {
    RunConfig config;
    QVERIFY(setValue(config, "teacher.model.hidden_size", "[96, 128]").ok());
    COMPARE_TEXT(*getValue(config, "teacher.model.hidden_size"), "[96, 128]");
    QVERIFY(!getValue(config, "teacher.model.hiden_size").ok());
    const auto changed = difference(RunConfig{}, config);
    QCOMPARE(changed.size(), std::size_t{1});
    COMPARE_TEXT(changed[0].key, "teacher.model.hidden_size");
    COMPARE_TEXT(changed[0].a, "[1152, 2048]");
    // A refused value leaves the old one.
    QVERIFY(!setValue(config, "seed", "x").ok());
    QCOMPARE(config.seed, std::int64_t{0});
  }
  void everyDefaultSatisfiesItsOwnSchema() {
    RunConfig config;
    for (const auto& doc : schema()) {
      const auto set = setValue(config, doc.key, doc.default_text);
      QVERIFY2(set.ok(), set.ok() ? "" : set.error().message.c_str());
      QVERIFY2(!doc.help.empty(), doc.key.c_str());
    }
    QVERIFY(!schemaSections().empty());
  }
  void demoPresetsGiveEveryKeyAndTheRecipesShape() {
    for (const std::string name : {"demo", "demo-quick"}) {
      const auto path = resourcePath("presets/" + name + ".yaml");
      QVERIFY(path.ok());
      std::ifstream stream(*path);
      const std::string text((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
      const auto demo = loadConfig(name);
      QVERIFY2(demo.ok(), demo.ok() ? "" : demo.error().message.c_str());
      // What the recipe stands on: most samples with r < t, distillation far gentler than mid-training, and one
      // guidance for all who look at the teacher.
      QCOMPARE(demo->mean_flow.ratio_r_less_than_t, 0.75);
      QVERIFY(demo->mean_flow.training.lr * 10 < demo->cmt.training.lr);
      for (const auto& guidance : {demo->mean_flow.guidance, demo->evaluation.guidance}) {
        QCOMPARE(guidance.scale, demo->cmt.guidance.scale);
        QCOMPARE(guidance.t_min, demo->cmt.guidance.t_min);
        QCOMPARE(guidance.t_max, demo->cmt.guidance.t_max);
      }
      QCOMPARE(demo->teacher.time.shift, 3.0);
      QCOMPARE(demo->teacher.model.num_heads, (std::vector<std::int64_t>{4, 4}));
      QCOMPARE(demo->stages.back(), std::string("report"));
      // Moving a default must leave the demo unchanged: it gives every key but those of settings it has nothing to do
      // with.
      const auto tree = parseYaml(text, name).value();
      for (const auto& doc : schema()) QVERIFY2(isGiven(tree, doc.key) || concernsOnlyOthers(doc.key), doc.key.c_str());
    }
  }
  void unknownPresetListsTheKnownOnes() {
    const auto config = loadConfig("dmeo");
    QVERIFY(!config.ok());
    VERIFY_HAS(config.error().message, "no preset and no file named 'dmeo'; did you mean 'demo'?; presets: ");
    VERIFY_HAS(loadConfig("missing/x.yaml").error().message, "missing/x.yaml: no such configuration file");
  }
  void resourcesFolderOfTheEnvironmentComesFirst() {
    QTemporaryDir folder;
    std::filesystem::create_directories(folder.filePath("presets").toStdString());
    std::ofstream(folder.filePath("presets/demo.yaml").toStdString()) << "seed: 77\n";
    qputenv("MEANFLOW_RESOURCES", folder.path().toUtf8());
    const auto config = loadConfig("demo");
    qunsetenv("MEANFLOW_RESOURCES");
    QVERIFY(config.ok());
    QCOMPARE(config->seed, std::int64_t{77});
    VERIFY_HAS(resourcePath("no/such").error().message, "MEANFLOW_RESOURCES");
  }
};
STUDIO_TEST(TestConfigIo)
#include "tst_config_io.moc"
