// SPDX-License-Identifier: Apache-2.0
//
// Runs that start from weights their configuration names, or that an import has put into their folder, instead of
// training those stages.
#include <QTemporaryDir>
#include <filesystem>

#include "core/base/config/config_io.h"
#include "core/base/run/atomic_file.h"
#include "core/checkpoint/tensor_export.h"
#include "core/checkpoint/tensor_file.h"
#include "core/device/device.h"
#include "core/models/pretrained_encoder.h"
#include "tests/support/studio_test.h"
#include "tests/training/run/tiny_preset.h"
#include "training/exchange/export_checkpoint.h"
#include "training/exchange/import_checkpoint.h"
#include "training/run/training_run.h"
#include "training/sampling/generator.h"

using namespace meanflow;
using training::RunEnd;
using training::TrainingRun;
namespace fs = std::filesystem;

namespace {

#define VERIFY_HAS(text, part) QVERIFY2((text).find(part) != std::string::npos, (text).c_str())

class Listener final : public base::EventSink {
 public:
  void publish(const base::EventRecord& record) override {
    if (const auto* step = std::get_if<base::StepCompleted>(&record.event)) trained.insert(step->stage);
    if (const auto* message = std::get_if<base::LogMessage>(&record.event)) log += message->text + "\n";
  }
  std::set<std::string> trained;
  std::string log;
};

struct Ended {
  std::string error;  ///< Empty when the run finished.
  std::shared_ptr<Listener> listener = std::make_shared<Listener>();
};

Ended work(const std::string& folder, const std::string& config, const std::vector<std::string>& overrides) {
  Ended ended;
  base::RunRequest request;
  request.run_folder = folder, request.config = config, request.overrides = overrides;
  auto run = TrainingRun::prepare(request, {ended.listener});
  if (!run) return ended.error = run.error().message, ended;
  if (const auto end = (*run)->run(); !end) ended.error = end.error().message;
  return ended;
}

}  // namespace

class TestNamedWeights : public QObject {
  Q_OBJECT
 private:
  QTemporaryDir temporary_;
  std::string preset_;
  std::string path(const std::string& name) const {
    return temporary_.filePath(QString::fromStdString(name)).toStdString();
  }
  std::string checkpoint(const std::string& run, const std::string& stage) const {
    return base::RunFolder::open(path(run))->listCheckpoints(stage).back().path.string();
  }
  std::string bytes(const std::string& run, const std::string& stage, const std::string& file) const {
    return base::readFile(checkpoint(run, stage) + "/" + file + ".safetensors").value();
  }
  /// The stages before the student's, as files and folders of the run that trained them.
  std::vector<std::string> named() const {
    return {"encoder.weights=" + checkpoint("whole", "encoder"), "decoder.weights=" + path("decoder.pt"),
            "decoder.statistics=" + path("stat.pt"), "teacher.weights=" + path("teacher.pt")};
  }

 private Q_SLOTS:
  void initTestCase() {
    core::initialiseTorch();
    preset_ = testing::writeTinyPreset(temporary_.path().toStdString());
    const auto whole = work(path("whole"), preset_, {"stages=[encoder, decoder, teacher, cmt, mean_flow]"});
    QVERIFY2(whole.error.empty(), whole.error.c_str());
    for (const auto& [stage, out] :
         {std::pair{"decoder", "decoder.pt"}, {"teacher", "teacher.pt"}, {"statistics", "stat.pt"}}) {
      training::ExportRequest request{.run = path("whole"), .out = path(out), .format = training::ExportFormat::kPt};
      request.stage = stage;
      if (request.stage == "teacher") request.weights = training::ExportedWeights::kBoth;
      training::exportCheckpoint(request).value();
    }
  }

  void studentsOfNamedWeightsAreThoseOfARunThatTrainedThem_data() {
    QTest::addColumn<QString>("stages");
    QTest::newRow("only the student's stages listed") << "stages=[cmt, mean_flow]";
    QTest::newRow("all stages listed") << "stages=[encoder, decoder, teacher, cmt, mean_flow]";
  }
  void studentsOfNamedWeightsAreThoseOfARunThatTrainedThem() {
    QFETCH(QString, stages);
    const auto run = std::string(stages.contains("encoder") ? "skipped" : "short");
    auto overrides = named();
    overrides.push_back(stages.toStdString());
    const auto ended = work(path(run), preset_, overrides);
    QVERIFY2(ended.error.empty(), ended.error.c_str());
    QCOMPARE(ended.listener->trained, (std::set<std::string>{"cmt", "mean_flow"}));
    if (run == "skipped") VERIFY_HAS(ended.listener->log, "stage teacher is not trained: its weights are those of");
    for (const auto* stage : {"cmt", "mean_flow"})
      for (const auto* file : {"model", "ema", "optimizer"})
        QVERIFY2(bytes(run, stage, file) == bytes("whole", stage, file), stage);
  }
  void aNamedMidTrainingIsWhereDistillationStarts() {
    auto overrides = named();
    overrides.push_back("cmt.weights=" + checkpoint("whole", "cmt"));
    overrides.push_back("stages=[cmt, mean_flow]");
    const auto ended = work(path("from_cmt"), preset_, overrides);
    QVERIFY2(ended.error.empty(), ended.error.c_str());
    QCOMPARE(ended.listener->trained, std::set<std::string>{"mean_flow"});
    QVERIFY(bytes("from_cmt", "mean_flow", "ema") == bytes("whole", "mean_flow", "ema"));
  }
  void statisticsThatNobodyNamedAreMeasured() {
    auto overrides = named();
    overrides.erase(overrides.begin() + 2);
    overrides.push_back("stages=[decoder, cmt]");
    const auto ended = work(path("measured"), preset_, overrides);
    QVERIFY2(ended.error.empty(), ended.error.c_str());
    const auto measured = core::loadTensors(path("measured/decoder/latent_statistics.safetensors")).value(),
               whole = core::loadTensors(path("whole/decoder/latent_statistics.safetensors")).value();
    QVERIFY(torch::allclose(measured.at("mean"), whole.at("mean"), 1e-4, 1e-5));
  }
  void importedStagesAreGoneOnFrom() {
    // The same as above, but copied into the run folder first.
    for (const auto& [source, as] : {std::pair{checkpoint("whole", "encoder"), "encoder"},
                                     {path("decoder.pt"), "decoder"},
                                     {path("stat.pt"), "statistics"},
                                     {path("teacher.pt"), "teacher"}}) {
      training::ImportRequest request;
      request.source = source, request.out = path("imported"), request.as = as;
      if (!fs::exists(path("imported"))) request.config = preset_;
      const auto report = training::importCheckpoint(request);
      QVERIFY2(report.ok(), report ? "" : report.error().message.c_str());
      QVERIFY(report->at_initial_value.empty());
    }
    const auto ended = work(path("imported"), {}, {"stages=[encoder, decoder, teacher, cmt, mean_flow]"});
    QVERIFY2(ended.error.empty(), ended.error.c_str());
    QCOMPARE(ended.listener->trained, (std::set<std::string>{"cmt", "mean_flow"}));
    QVERIFY(bytes("imported", "mean_flow", "ema") == bytes("whole", "mean_flow", "ema"));
  }
  void samplingTakesNamedWeightsToo() {
    auto overrides = named();
    overrides.push_back("mean_flow.weights=" + checkpoint("whole", "mean_flow"));
    overrides.push_back("stages=[mean_flow]");
    const auto ended = work(path("nothing_left"), preset_, overrides);
    QVERIFY2(ended.error.empty(), ended.error.c_str());
    QVERIFY(ended.listener->trained.empty());
    const auto pictures = [&](const std::string& run, bool use_teacher) {
      auto generator = training::Generator::open(path(run), torch::kCPU).value();
      base::SampleRequest request;
      request.labels = {0, 1, 2}, request.noise_indices = {5, 6, 7}, request.use_teacher = use_teacher, request.nfe = 2;
      std::vector<base::Image8> images;
      generator->make(request, [&](int, const base::Image8& image) { images.push_back(image); });
      return images;
    };
    QVERIFY(pictures("nothing_left", false) == pictures("whole", false));
    QVERIFY(pictures("nothing_left", true) == pictures("whole", true));
  }
  void weightsThatDoNotFitStopTheRunWithTheirKeyAndFile() {
    const auto message = [&](const std::string& key, const std::string& value,
                             const std::vector<std::string>& more = {}) {
      auto overrides = named();
      overrides.push_back("stages=[cmt]");
      overrides.push_back(key + "=" + value);
      overrides.insert(overrides.end(), more.begin(), more.end());
      fs::remove_all(path("refused"));
      return work(path("refused"), preset_, overrides).error;
    };
    VERIFY_HAS(message("teacher.weights", "/no/teacher.pt"), "teacher.weights: /no/teacher.pt: does not exist");
    VERIFY_HAS(message("teacher.weights", path("decoder.pt")), "holds another kind of model (ViT 16/1 decoder");
    VERIFY_HAS(message("teacher.weights", checkpoint("whole", "cmt")), "5 unknown to the module: r_embedder.W");
    VERIFY_HAS(message("teacher.weights", path("teacher.pt"), {"teacher.model.hidden_size=[16, 64]"}),
               "of another shape");
    VERIFY_HAS(message("decoder.statistics", path("teacher.pt"), {"stages=[mean_flow]"}), "decoder.statistics: ");
  }
  void aPublishedEncoderIsFrozenAndMakesTheLatents() {
    core::PretrainedEncoderOptions options{.hidden_size = 16,
                                           .depth = 1,
                                           .num_heads = 2,
                                           .intermediate_size = 32,
                                           .patch_size = 4,
                                           .image_size = 16,
                                           .num_registers = 2};
    torch::manual_seed(5);
    core::PretrainedEncoder encoder(options);
    core::savePt(path("dino.pt"), core::namedState(*encoder)).value();
    const std::vector<std::string> overrides = {
        "encoder.kind=dinov2",        "encoder.weights=" + path("dino.pt"),
        "encoder.input_size=12",      "encoder.model.mlp_ratio=2",
        "decoder.model.patch_size=4", "data.image_size=12",
        "decoder.output_head=patch",  "stages=[encoder, decoder, teacher, cmt]"};
    auto ended = work(path("frozen"), preset_, overrides);
    QVERIFY2(ended.error.empty(), ended.error.c_str());
    QCOMPARE(ended.listener->trained, (std::set<std::string>{"decoder", "teacher", "cmt"}));
    VERIFY_HAS(ended.listener->log, "stage encoder is not trained");
    QVERIFY(!fs::exists(path("frozen/encoder/checkpoints")));
    // Features by hand: ImageNet's normalisation, then the encoder's tokens as a grid.
    const auto run = base::RunFolder::open(path("frozen")).value();
    const auto codec = training::loadCodec(run.readConfig().value(), run, torch::kCPU);
    const torch::NoGradGuard no_grad;
    const auto images = torch::rand({2, 3, 12, 12});
    const auto mean = torch::tensor({0.485, 0.456, 0.406}).view({1, 3, 1, 1}),
               deviation = torch::tensor({0.229, 0.224, 0.225}).view({1, 3, 1, 1});
    const auto expected = encoder((images - mean) / deviation).transpose(1, 2).reshape({2, 16, 3, 3});
    QVERIFY(torch::allclose(codec->features(images), expected, 1e-5, 1e-6));
    // A run that already has the encoder's sizes wrong is told which key to change.
    auto wrong = overrides;
    wrong.push_back("encoder.model.depth=2");
    VERIFY_HAS(work(path("frozen_wrong"), preset_, wrong).error, "encoder.model.depth 1, but the configuration says 2");
    wrong = overrides;
    wrong.push_back("data.image_size=16");
    VERIFY_HAS(work(path("frozen_wrong2"), preset_, wrong).error,
               "decoder.model.patch_size 4 makes images of 12 pixels");
    wrong = overrides;
    wrong.push_back("encoder.weights=\"\"");
    VERIFY_HAS(work(path("frozen_wrong3"), preset_, wrong).error, "no such encoder is there: set encoder.weights");
  }
};
STUDIO_TEST(TestNamedWeights)
#include "tst_named_weights.moc"
