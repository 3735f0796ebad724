// SPDX-License-Identifier: Apache-2.0
//
// Foreign checkpoints into run folders: every golden network, every layout, several into one folder, what is refused
// and that a refusal writes nothing.
#include <QTemporaryDir>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/base/config/config_io.h"
#include "core/base/run/atomic_file.h"
#include "core/checkpoint/tensor_export.h"
#include "core/device/device.h"
#include "tests/training/exchange/exchange_files.h"
#include "training/loop/checkpoint_store.h"
#include "training/optim/adamw.h"
#include "training/optim/ema.h"
#include "training/sampling/generator.h"
#include "training/stages/frozen_encoder.h"
#include "training/stages/networks.h"

using namespace meanflow;
using namespace meanflow::testing;
using training::importCheckpoint;
namespace fs = std::filesystem;

namespace {

#define VERIFY_HAS(text, part) QVERIFY2((text).find(part) != std::string::npos, (text).c_str())

/// A state dict with all names below "module.".
core::TensorMap wrapped(const core::TensorMap& tensors) {
  core::TensorMap result;
  for (const auto& [name, tensor] : tensors) result.emplace("module." + name, tensor);
  return result;
}

base::RunConfig configOf(const std::string& run) { return base::loadConfig(run + "/config.yaml").value(); }

}  // namespace

class TestImport : public QObject {
  Q_OBJECT
 private:
  QTemporaryDir folder_;
  std::string path(const std::string& name) const {
    return folder_.filePath(QString::fromStdString(name)).toStdString();
  }
  core::TensorMap teacher_, student_;

  /// Imports and expects a refusal that leaves `out` as it was; the message.
  std::string refusal(const training::ImportRequest& request) {
    const auto before = filesBelow(request.out);
    const bool was_there = fs::exists(request.out);
    const auto report = importCheckpoint(request);
    if (report) return "it was imported";
    if (fs::exists(request.out) != was_there || filesBelow(request.out) != before)
      return "the refusal left something behind: " + report.error().message;
    std::error_code no_folder;
    for (const auto& entry : fs::directory_iterator(fs::path(request.out).parent_path(), no_folder))
      if (entry.path().filename().string().starts_with(".tmp-")) return "a temporary folder was left behind";
    return report.error().message;
  }

 private Q_SLOTS:
  void initTestCase() {
    core::initialiseTorch();
    teacher_ = goldenTensors("ddt_dh/weights.safetensors");
    student_ = goldenTensors("mf_student/weights.safetensors");
  }

  void everyGoldenNetworkIsImportedBitForBit_data() {
    QTest::addColumn<QString>("file");
    QTest::addColumn<QString>("stage");
    QTest::addColumn<QString>("override");
    for (const auto* name : {"ddt_dh", "ddt_dh_qknorm_mlp_ln", "ddt_dh_qknorm_rms_nopos", "ddt_dh_patch2_repaired"})
      QTest::newRow(name) << QString("%1/weights.safetensors").arg(name) << "teacher"
                          << "";
    QTest::newRow("ddt_dh_same_width") << "ddt_dh_same_width/weights.safetensors"
                                       << "teacher"
                                       << "teacher.model.depth=1,1";
    QTest::newRow("mf_student") << "mf_student/weights.safetensors"
                                << "mean_flow"
                                << "";
    QTest::newRow("lightningdit_p1") << "lightningdit_p1/weights.safetensors"
                                     << "teacher"
                                     << "";
    QTest::newRow("lightningdit_p2") << "lightningdit_p2/weights.safetensors"
                                     << "teacher"
                                     << "";
    for (const auto* name : {"rae_dinov2", "rae_mae", "rae_siglip2"}) {
      const auto decoder = std::string(name) + " decoder", encoder = std::string(name) + " encoder";
      QTest::newRow(decoder.c_str()) << QString("%1/decoder.safetensors").arg(name) << "decoder"
                                     << "decoder.model.num_heads=2";
      QTest::newRow(encoder.c_str()) << QString("%1/encoder.safetensors").arg(name) << "encoder"
                                     << "encoder.model.num_heads=2";
    }
  }
  void everyGoldenNetworkIsImportedBitForBit() {
    QFETCH(QString, file);
    QFETCH(QString, stage);
    QFETCH(QString, override);
    const auto out = path(std::string("run_") + QTest::currentDataTag());
    auto request = importOf(golden(file.toStdString()), out);
    if (!override.isEmpty()) request.overrides = {override.toStdString()};
    const auto report = importCheckpoint(request);
    QVERIFY2(report.ok(), report ? "" : report.error().message.c_str());
    QCOMPARE(report->stage, stage.toStdString());
    QVERIFY(report->at_initial_value.empty() && report->left_out.empty());
    const auto expected = goldenTensors(file.toStdString());
    const auto model = checkpointFile(out, report->stage, "step_00000000", "model"),
               ema = checkpointFile(out, report->stage, "step_00000000", "ema");
    for (const auto& [name, tensor] : model)
      if (expected.contains(name))
        QVERIFY2(firstDifference({{name, tensor}}, {{name, expected.at(name)}}).empty(), name.c_str());
    QCOMPARE(model.size() - report->computed.size() + report->ignored.size(), expected.size());
    for (const auto& [name, tensor] : ema) QVERIFY2(torch::equal(tensor, model.at(name)), name.c_str());
    QVERIFY(!ema.contains("enc_feat_rope.freqs_cos"));  // averages cover parameters alone
    // The folder is a run whose configuration describes the network, and import.json tells where it came from.
    const auto run = base::RunFolder::open(out).value();
    const auto config = run.readConfig().value();
    const auto imports = nlohmann::json::parse(base::readFile(out + "/import.json").value());
    QCOMPARE(imports.at("imports").size(), std::size_t(1));
    VERIFY_HAS(imports["imports"][0]["source"].get<std::string>(), file.toStdString());
    if (stage == "decoder") training::loadStageWeights(*training::makeDecoder(config), run, "decoder");
    if (stage == "encoder") QCOMPARE(training::loadFrozenEncoder(config, run)->options().num_heads, std::int64_t(2));
    if (stage == "teacher" && config.teacher.architecture == "ddt")
      training::loadTeacher(config, run, config.data.num_classes, torch::kCPU);
    if (stage == "mean_flow") training::loadStudent(config, run, "mean_flow", config.data.num_classes, torch::kCPU);
  }
  void fragmentsAreRefusedInOneSentence_data() {
    QTest::addColumn<QString>("file");
    for (const auto* name : {"raw_state_dict.pt", "ema_only.pt", "latest.pt", "wrapped_prefix.pt", "legacy_format.pt"})
      QTest::newRow(name) << name;
  }
  void fragmentsAreRefusedInOneSentence() {
    QFETCH(QString, file);
    const auto message = refusal(importOf(golden("checkpoints_pt/" + file.toStdString()), path("never")));
    VERIFY_HAS(message, file.toStdString() + ": holds ");
    VERIFY_HAS(message, "nothing was imported");
    VERIFY_HAS(refusal(importOf(golden("baseline_dit/weights.safetensors"), path("never"))),
               "which this version has no network for");
  }

  void publishedStatisticsBecomeTheRunsOwn() {
    const auto mean = torch::randn({768, 16, 16}), variance = torch::rand({768, 16, 16});
    core::savePt(path("stat.pt"), {{"mean", mean}, {"var", variance}}).value();
    const auto report = importCheckpoint(importOf(path("stat.pt"), path("stats")));
    QVERIFY2(report.ok(), report ? "" : report.error().message.c_str());
    QCOMPARE(report->target, std::string("decoder/latent_statistics.safetensors"));
    const auto config = configOf(path("stats"));
    QCOMPARE(training::latentShape(config).sizes(), (std::vector<std::int64_t>{768, 16, 16}));
    const auto run = base::RunFolder::open(path("stats")).value();
    const auto moments = training::loadLatentMoments(config, run);
    QVERIFY(torch::equal(moments.mean, mean) && torch::equal(moments.variance, variance));
    core::savePt(path("negative.pt"), {{"mean", mean}, {"var", -variance}}).value();
    VERIFY_HAS(refusal(importOf(path("negative.pt"), path("never"))), "a negative variance");
    // Of three channels, which no network here can have: statistics are imported all the same.
    const auto narrow = importCheckpoint(importOf(golden("checkpoints_pt/stat.pt"), path("narrow")));
    QVERIFY2(narrow.ok(), narrow ? "" : narrow.error().message.c_str());
    QCOMPARE(training::latentShape(configOf(path("narrow"))).channels, std::int64_t{3});
  }

  void trainingFilesKeepBothSetsTheStepAndTheOptimizer() {
    auto ema = teacher_;
    ema["final_layer.linear.bias"] = torch::randn_like(ema["final_layer.linear.bias"]);
    // State of AdamW by position in the file, frozen parameters without any.
    std::vector<std::pair<std::string, core::TensorMap>> groups = {{"model", wrapped(teacher_)}, {"ema", ema}};
    core::TensorMap state;
    std::int64_t number = 0;
    for (const auto& [name, tensor] : teacher_) {
      if (name.find("_rope.") != std::string::npos) continue;
      const auto key = "state." + std::to_string(number++) + ".";
      if (name == "pos_embed" || name == "t_embedder.W") continue;
      state[key + "exp_avg"] = torch::randn_like(tensor);
      state[key + "exp_avg_sq"] = torch::rand_like(tensor);
      state[key + "step"] = torch::full({}, 1234.0F);
    }
    groups.emplace_back("opt", state);
    core::savePt(path("latest.pt"), groups,
                 {{"train_steps", std::int64_t{1234}}, {"config_path", std::string("configs/cmt/CMT_256.yaml")}})
        .value();
    const auto out = path("training_file");
    const auto report = importCheckpoint(importOf(path("latest.pt"), out));
    QVERIFY2(report.ok(), report ? "" : report.error().message.c_str());
    QCOMPARE(report->step, std::int64_t(1234));
    QCOMPARE(report->raw_from + " " + report->average_from, std::string("model ema"));
    VERIFY_HAS(report->optimizer, "AdamW moments of ");
    const std::string step = "step_00001234";
    QCOMPARE(firstDifference(checkpointFile(out, "teacher", step, "model"), teacher_), std::string());
    QVERIFY(torch::equal(checkpointFile(out, "teacher", step, "ema").at("final_layer.linear.bias"),
                         ema["final_layer.linear.bias"]));

    // The stage is finished here, and can be trained further with the moments.
    const auto run = base::RunFolder::open(out).value();
    const auto config = run.readConfig().value();
    QCOMPARE(config.teacher.training.steps, std::int64_t(1234));
    auto network = training::makeTeacher(config, config.data.num_classes);
    training::Ema averages(training::namedParameters(*network));
    training::AdamW optimizer(training::namedParameters(*network), {});
    std::vector<std::string> warnings;
    const auto progress =
        training::CheckpointStore(run, "teacher").restoreNewest({*network, averages, optimizer}, warnings);
    QVERIFY(progress.has_value() && warnings.empty());
    QCOMPARE(progress->step, std::int64_t(1234));
    QVERIFY(progress->has_optimizer);
    number = 0;
    const auto restored = optimizer.state();
    const std::map<std::string, torch::Tensor> by_name(restored.begin(), restored.end());
    for (const auto& [name, tensor] : teacher_) {
      if (name.find("_rope.") != std::string::npos) continue;
      const auto key = "state." + std::to_string(number++) + ".";
      if (!state.contains(key + "exp_avg")) continue;
      QVERIFY2(torch::equal(by_name.at(name + ".exp_avg"), state.at(key + "exp_avg")), name.c_str());
      QVERIFY2(torch::equal(by_name.at(name + ".exp_avg_sq"), state.at(key + "exp_avg_sq")), name.c_str());
      QCOMPARE(by_name.at(name + ".step").item<float>(), 1234.F);
    }
  }
  void anOptimizerThatDoesNotFitIsLeftOutAndSaid() {
    core::TensorMap state = {{"state.0.exp_avg", torch::zeros({5})}, {"state.0.exp_avg_sq", torch::zeros({5})}};
    core::savePt(path("odd.pt"), {{"model", teacher_}, {"ema", teacher_}, {"optimizer", state}}, {}).value();
    const auto report = importCheckpoint(importOf(path("odd.pt"), path("odd")));
    QVERIFY2(report.ok(), report ? "" : report.error().message.c_str());
    VERIFY_HAS(report->optimizer, "left out, because the moments of parameter 0 have shape [5]");
    QVERIFY(!fs::exists(path("odd/teacher/checkpoints/step_00000000/optimizer.safetensors")));
    // Going on from it is possible all the same.
    const auto run = base::RunFolder::open(path("odd")).value();
    const auto config = run.readConfig().value();
    auto network = training::makeTeacher(config, config.data.num_classes);
    training::Ema averages(training::namedParameters(*network));
    training::AdamW optimizer(training::namedParameters(*network), {});
    std::vector<std::string> warnings;
    const auto progress =
        training::CheckpointStore(run, "teacher").restoreNewest({*network, averages, optimizer}, warnings);
    QVERIFY(progress.has_value() && !progress->has_optimizer && warnings.empty());
  }
  void halfPrecisionKeepsItsBits() {
    core::TensorMap half;
    for (const auto& [name, tensor] : teacher_) half[name] = tensor.to(torch::kBFloat16);
    core::savePt(path("bf16.pt"), {{"ema", half}}, {}).value();
    const auto report = importCheckpoint(importOf(path("bf16.pt"), path("bf16")));
    QVERIFY2(report.ok(), report ? "" : report.error().message.c_str());
    QCOMPARE(report->dtypes, std::vector<std::string>{"BF16"});
    QCOMPARE(firstDifference(checkpointFile(path("bf16"), "teacher", "step_00000000", "model"), half), std::string());
    const auto run = base::RunFolder::open(path("bf16")).value();
    const auto network = training::loadTeacher(run.readConfig().value(), run, 10, torch::kCPU);
    QVERIFY(torch::equal(network->x_embedder->proj->weight, half["x_embedder.proj.weight"].to(torch::kFloat32)));
  }
  void oneSetMayBeTakenForBoth() {
    auto ema = teacher_;
    ema["final_layer.linear.bias"] = torch::ones_like(ema["final_layer.linear.bias"]);
    core::savePt(path("both.pt"), {{"model", teacher_}, {"ema", ema}}, {}).value();
    auto request = importOf(path("both.pt"), path("raw_only"));
    request.only = core::WeightSet::kRaw;
    QVERIFY(importCheckpoint(request).ok());
    const auto name = "final_layer.linear.bias";
    QVERIFY(
        torch::equal(checkpointFile(path("raw_only"), "teacher", "step_00000000", "ema").at(name), teacher_.at(name)));
  }

  void aTeacherIsNoStudentUnlessSomebodyInsists() {
    auto request = importOf(golden("ddt_dh/weights.safetensors"), path("insist"), "cmt");
    const auto message = refusal(request);
    VERIFY_HAS(message, "5 missing from the source: r_embedder.W, r_embedder.mlp.0.bias");
    VERIFY_HAS(message, "--allow-partial");
    request.allow_partial = true;
    const auto report = importCheckpoint(request);
    QVERIFY2(report.ok(), report ? "" : report.error().message.c_str());
    QCOMPARE(report->at_initial_value,
             (std::vector<std::string>{"r_embedder.W", "r_embedder.mlp.0.bias", "r_embedder.mlp.0.weight",
                                       "r_embedder.mlp.2.bias", "r_embedder.mlp.2.weight"}));
    // What stays is what the network starts from here, the rest is the file's.
    const auto config = configOf(path("insist"));
    const auto initial = core::namedState(*training::makeStudent(config, config.data.num_classes));
    const auto model = checkpointFile(path("insist"), "cmt", "step_00000000", "model");
    for (const auto& [name, tensor] : model)
      QVERIFY2(torch::equal(tensor, teacher_.contains(name) ? teacher_.at(name) : initial.at(name)), name.c_str());
  }
  void missingMisshapedAndUnknownTensorsAreRefusedByName() {
    const auto check = [&](const char* what, const core::TensorMap& tensors, const std::string& part) {
      core::savePt(path("bad.pt"), tensors).value();
      const auto message = refusal(importOf(path("bad.pt"), path("never")));
      if (message.find(part) == std::string::npos) qWarning("%s: %s", what, message.c_str());
      return message.find(part) != std::string::npos;
    };
    auto tensors = teacher_;
    tensors.erase("blocks.2.mlp.w3.weight");
    QVERIFY(check("missing", tensors, "1 missing from the source: blocks.2.mlp.w3.weight"));
    tensors = teacher_;
    tensors["blocks.2.mlp.w3.bias"] = torch::zeros({3});
    QVERIFY(check("shape", tensors, "blocks.2.mlp.w3.bias: file [3], network [64]"));
    tensors = teacher_;
    tensors["stranger"] = torch::zeros({3});
    QVERIFY(check("unexpected", tensors, "1 unknown to the module: stranger"));
    tensors = teacher_;
    tensors["blocks.2.mlp.w3.weight"] = tensors["blocks.2.mlp.w3.weight"].to(torch::kInt32);
    QVERIFY(check("dtype", tensors, "tensor 'blocks.2.mlp.w3.weight' has dtype I32"));
    tensors = teacher_;
    tensors["blocks.2.mlp.w3.weight"] = torch::full_like(tensors["blocks.2.mlp.w3.weight"], NAN);
    QVERIFY(check("nan", tensors, "tensor 'blocks.2.mlp.w3.weight' has 10880 values that are not finite"));
    auto ema = teacher_;
    ema.erase("blocks.2.mlp.w3.weight");
    core::savePt(path("bad.pt"), {{"model", teacher_}, {"ema", ema}}, {}).value();
    VERIFY_HAS(refusal(importOf(path("bad.pt"), path("never"))), "blocks.2.mlp.w3.weight");
  }
  void damagedFilesAreRefusedWhereverTheyAreCut() {
    core::savePt(path("whole.pt"), teacher_).value();
    const auto whole = base::readFile(path("whole.pt")).value();
    for (std::size_t k = 0; k < 40; ++k) {
      base::writeFileAtomically(path("cut.pt"), std::string_view(whole).substr(0, whole.size() * k / 40)).value();
      VERIFY_HAS(refusal(importOf(path("cut.pt"), path("never"))), "cut.pt");
    }
    for (std::size_t k = 0; k < 40; ++k) {  // a flipped bit anywhere among the weights: their checksum tells
      auto flipped = whole;
      flipped[2000 + k * (whole.size() * 9 / 10 - 2000) / 40] ^= 0x10;
      base::writeFileAtomically(path("flipped.pt"), flipped).value();
      VERIFY_HAS(refusal(importOf(path("flipped.pt"), path("never"))), "flipped.pt");
    }
    base::writeFileAtomically(path("lfs.pt"), std::string_view("version https://git-lfs.github.com/spec/v1\noid x"))
        .value();
    VERIFY_HAS(refusal(importOf(path("lfs.pt"), path("never"))), "Git LFS pointer");
    VERIFY_HAS(refusal(importOf("no/such/file.pt", path("never"))), "no/such/file.pt: does not exist");
    VERIFY_HAS(refusal(importOf("nobody/nothing", path("never"))), "nor in the Hugging Face cache");
  }
  void aTargetThatIsNoRunFolderIsLeftAlone() {
    fs::create_directories(path("holiday"));
    base::writeFileAtomically(path("holiday/letter.txt"), std::string_view("dear")).value();
    VERIFY_HAS(refusal(importOf(golden("ddt_dh/weights.safetensors"), path("holiday"))),
               "neither a run folder nor empty");
    VERIFY_HAS(refusal(importOf(golden("ddt_dh/weights.safetensors"), path("holiday/letter.txt/run"))), "letter.txt");
    VERIFY_HAS(refusal(importOf(golden("ddt_dh/weights.safetensors"), path("never"), "decoder")),
               "which is no decoder");
  }

  void classesOfAnImageNetModelHaveTheirNames() {
    for (const std::int64_t num_classes : {1000, 998}) {
      core::DdtOptions options;
      options.network = {.hidden_size = {32, 48}, .depth = {1, 1}, .num_heads = {2, 2}, .mlp_ratio = 2};
      options.input_size = 4, options.in_channels = 8, options.num_classes = num_classes;
      const auto file = path("classes_" + std::to_string(num_classes) + ".pt"), out = path(std::to_string(num_classes));
      core::savePt(file, {{"ema", core::namedState(*core::DiTwDDTHead(options))}}, {}).value();
      const auto report = importCheckpoint(importOf(file, out));
      QVERIFY2(report.ok(), report ? "" : report.error().message.c_str());
      const auto names =
          nlohmann::json::parse(base::readFile(out + "/classes.json").value()).get<std::vector<std::string>>();
      QCOMPARE(static_cast<std::int64_t>(names.size()), num_classes);
      QCOMPARE(names[207], std::string(num_classes == 1000 ? "golden retriever" : "207"));
      QCOMPARE(names[997], std::string(num_classes == 1000 ? "bolete" : "997"));
    }
  }

  void severalImportsMakeARunThatSamples() {
    // A generator of latents 32x4x4 for a decoder of rae_dinov2 (32 channels, 4x4 tokens, 64 pixels).
    const auto out = path("together");
    core::DdtOptions options;
    options.network = {.hidden_size = {32, 48}, .depth = {1, 1}, .num_heads = {2, 2}, .mlp_ratio = 2};
    options.input_size = 4, options.in_channels = 32, options.num_classes = 5;
    for (const bool is_student : {false, true}) {
      options.has_r_embedder = is_student;
      core::savePt(path(is_student ? "student.pt" : "teacher.pt"),
                   {{"ema", core::namedState(*core::DiTwDDTHead(options))}}, {})
          .value();
    }
    const auto import = [&](const std::string& source, const std::vector<std::string>& overrides = {}) {
      const auto report = importCheckpoint(importOf(source, out, {}, overrides));
      return report ? report->stage : report.error().message;
    };
    QCOMPARE(import(golden("rae_dinov2/decoder.safetensors"), {"decoder.model.num_heads=2"}), std::string("decoder"));
    QCOMPARE(import(golden("rae_dinov2/stat.safetensors")), std::string("statistics"));
    QCOMPARE(import(path("teacher.pt")), std::string("teacher"));
    QCOMPARE(import(path("student.pt")), std::string("mean_flow"));
    QCOMPARE(import(golden("rae_dinov2/encoder.safetensors"), {"encoder.model.num_heads=2"}), std::string("encoder"));
    const auto config = configOf(out);
    QCOMPARE(config.encoder.kind, std::string("dinov2"));
    QCOMPARE(config.encoder.input_size, std::int64_t(56));  // 4 tokens of 14 pixels
    QCOMPARE(config.data.image_size, std::int64_t(64));
    QCOMPARE(config.data.num_classes, std::int64_t(5));
    QVERIFY(config.encoder.weights.empty());
    QCOMPARE(nlohmann::json::parse(base::readFile(out + "/import.json").value())["imports"].size(), std::size_t(5));

    auto generator = training::Generator::open(out, torch::kCPU);
    QVERIFY2(generator.ok(), generator ? "" : generator.error().message.c_str());
    for (const bool use_teacher : {false, true}) {
      base::SampleRequest request;
      request.labels = {0, 4}, request.noise_indices = {0, 1}, request.use_teacher = use_teacher;
      int num_made = 0;
      (*generator)->make(request, [&](int, const base::Image8& image) { num_made += image.width == 64; });
      QCOMPARE(num_made, 2);
    }
    // The encoder that was imported makes latents of that shape.
    const auto run = base::RunFolder::open(out).value();
    auto codec = training::loadCodec(config, run, torch::kCPU);
    QCOMPARE(codec->encode(torch::rand({1, 3, 64, 64})).sizes().vec(), (std::vector<std::int64_t>{1, 32, 4, 4}));

    // What contradicts the folder is refused, what it holds is replaced only on request.
    VERIFY_HAS(refusal(importOf(golden("ddt_dh/weights.safetensors"), out)), "already holds a stage teacher");
    auto force = importOf(golden("ddt_dh/weights.safetensors"), out);
    force.force = true;
    VERIFY_HAS(refusal(force), "but the run folder holds a stage mean_flow with");
    VERIFY_HAS(refusal(importOf(golden("ddt_dh/weights.safetensors"), out, "cmt")), "import it into another folder");
    force.source = path("teacher.pt");
    force.step = 7;
    QVERIFY(importCheckpoint(force).ok());
    QCOMPARE(run.listCheckpoints("teacher").size(), std::size_t(1));
    QCOMPARE(run.listCheckpoints("teacher").back().step, std::int64_t(7));
  }
  void aRunThatIsBeingTrainedIsNotTouched() {
    QVERIFY(importCheckpoint(importOf(golden("mf_student/weights.safetensors"), path("busy"))).ok());
    auto owner = base::RunFolder::open(path("busy")).value();
    owner.lock().value();
    VERIFY_HAS(refusal(importOf(golden("ddt_dh/weights.safetensors"), path("busy"))), "another process is training");
  }
  void aConfigurationGivesWhatTensorsDoNotTell() {
    auto tensors = teacher_;
    std::erase_if(tensors, [](const auto& entry) { return entry.first.find("_rope.") != std::string::npos; });
    core::savePt(path("no_rope.pt"), tensors).value();
    VERIFY_HAS(refusal(importOf(path("no_rope.pt"), path("never"))), "give teacher.model.num_heads=...");
    base::writeFileAtomically(
        path("sizes.yaml"),
        std::string_view("teacher: {model: {hidden_size: [48, 64], depth: [2, 2], num_heads: [3, 2]}}\n"
                         "encoder: {model: {hidden_size: 8, num_heads: 2, patch_size: 4}}\n"
                         "data: {image_size: 16}\nstages: [cmt]\n"))
        .value();
    auto request = importOf(path("no_rope.pt"), path("by_config"));
    request.config = path("sizes.yaml");
    const auto report = importCheckpoint(request);
    QVERIFY2(report.ok(), report ? "" : report.error().message.c_str());
    QCOMPARE(report->computed.size(), std::size_t(4));
    for (const auto& [name, tensor] : checkpointFile(path("by_config"), "teacher", "step_00000000", "model"))
      QVERIFY2(torch::allclose(tensor, teacher_.at(name), 1e-5, 1e-6), name.c_str());
    QCOMPARE(configOf(path("by_config")).stages, std::vector<std::string>{"cmt"});
    VERIFY_HAS(refusal(request), "leave --config out");
  }
  void hubNamesAreFoundInTheCache() {
    const auto snapshot = path("hf/hub/models--some--encoder/snapshots/abc");
    fs::create_directories(snapshot);
    fs::copy_file(golden("rae_siglip2/encoder.safetensors"), snapshot + "/model.safetensors");
    const auto config = nlohmann::json::parse(base::readFile(golden("rae_siglip2/case.json")).value());
    base::writeFileAtomically(snapshot + "/config.json", config["config"]["encoder"].dump()).value();
    qputenv("HF_HOME", QByteArray::fromStdString(path("hf")));
    qunsetenv("HF_HUB_CACHE");
    const auto report = importCheckpoint(importOf("some/encoder", path("from_hub")));
    qunsetenv("HF_HOME");
    QVERIFY2(report.ok(), report ? "" : report.error().message.c_str());
    QCOMPARE(configOf(path("from_hub")).encoder.kind, std::string("siglip2"));
    QCOMPARE(configOf(path("from_hub")).encoder.model.num_heads, std::int64_t(2));
  }
};
STUDIO_TEST(TestImport)
#include "tst_import.moc"
