// SPDX-License-Identifier: Apache-2.0
//
// Stages of a run as files for Python, and back: equal bits in every format.
#include <QTemporaryDir>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/base/run/atomic_file.h"
#include "core/checkpoint/checkpoint.h"
#include "core/checkpoint/tensor_export.h"
#include "core/device/device.h"
#include "tests/training/exchange/exchange_files.h"
#include "training/exchange/export_checkpoint.h"

using namespace meanflow;
using namespace meanflow::testing;
using training::exportCheckpoint;
using training::ExportedWeights;
using training::ExportFormat;
namespace fs = std::filesystem;

namespace {

#define VERIFY_HAS(text, part) QVERIFY2((text).find(part) != std::string::npos, (text).c_str())

core::TensorMap tensorsIn(const std::string& path, const std::string& group = {}) {
  return core::Checkpoint::open(path)->readGroup(group, core::WrapperNames::kKept).value();
}

}  // namespace

class TestExport : public QObject {
  Q_OBJECT
 private:
  QTemporaryDir folder_;
  std::string path(const std::string& name) const {
    return folder_.filePath(QString::fromStdString(name)).toStdString();
  }
  training::ExportRequest asked(const std::string& out, ExportFormat format, const std::string& stage = {},
                                ExportedWeights weights = ExportedWeights::kEma) {
    return {.run = path("run"), .out = path(out), .format = format, .stage = stage, .weights = weights};
  }
  core::TensorMap model_, ema_, decoder_;

 private Q_SLOTS:
  void initTestCase() {
    core::initialiseTorch();
    model_ = goldenTensors("mf_student/weights.safetensors");
    ema_ = model_;
    for (auto& [name, tensor] : ema_)
      if (name.find("_rope.") == std::string::npos) tensor = tensor + 1;
    core::savePt(path("latest.pt"), {{"model", model_}, {"ema", ema_}}, {{"train_steps", std::int64_t{30}}}).value();
    training::importCheckpoint(importOf(path("latest.pt"), path("run"))).value();
    // A second run for the decoder, whose latents are others.
    decoder_ = goldenTensors("rae_dinov2/decoder.safetensors");
    training::importCheckpoint(
        importOf(golden("rae_dinov2/decoder.safetensors"), path("autoencoder"), {}, {"decoder.model.num_heads=2"}))
        .value();
    training::importCheckpoint(importOf(golden("rae_dinov2/stat.safetensors"), path("autoencoder"))).value();
  }

  void everyFormatHoldsTheSameBits() {
    const auto safetensors = exportCheckpoint(asked("x.safetensors", ExportFormat::kSafetensors));
    QVERIFY2(safetensors.ok(), safetensors ? "" : safetensors.error().message.c_str());
    QCOMPARE(safetensors->stage, std::string("mean_flow"));
    QCOMPARE(safetensors->step, std::int64_t(30));
    QCOMPARE(firstDifference(tensorsIn(path("x.safetensors")), ema_), std::string());
    QVERIFY(exportCheckpoint(asked("x.npz", ExportFormat::kNpz, "mean_flow", ExportedWeights::kModel)).ok());
    QCOMPARE(firstDifference(tensorsIn(path("x.npz")), model_), std::string());
    QVERIFY(exportCheckpoint(asked("x.pt", ExportFormat::kPt)).ok());
    QCOMPARE(firstDifference(tensorsIn(path("x.pt")), ema_), std::string());
    QVERIFY(exportCheckpoint(asked("both.pt", ExportFormat::kPt, {}, ExportedWeights::kBoth)).ok());
    QCOMPARE(firstDifference(tensorsIn(path("both.pt"), "model"), model_), std::string());
    QCOMPARE(firstDifference(tensorsIn(path("both.pt"), "ema"), ema_), std::string());
    QCOMPARE(core::valueOf(core::Checkpoint::open(path("both.pt")).value(), "train_steps"), std::string("30"));
  }
  void whatIsExportedIsImportedAgainWithTheSameBits() {
    QVERIFY(exportCheckpoint(asked("round.pt", ExportFormat::kPt, {}, ExportedWeights::kBoth)).ok());
    QVERIFY(training::importCheckpoint(importOf(path("round.pt"), path("again"))).ok());
    for (const auto* file : {"model", "ema"})
      QCOMPARE(firstDifference(checkpointFile(path("again"), "mean_flow", "step_00000030", file),
                               checkpointFile(path("run"), "mean_flow", "step_00000030", file)),
               std::string());
  }
  void theHubFolderIsSplitWhereItIsLarge() {
    auto request = asked("hub", ExportFormat::kHub);
    const auto whole = exportCheckpoint(request);
    QVERIFY2(whole.ok(), whole ? "" : whole.error().message.c_str());
    QVERIFY(fs::exists(path("hub/model.safetensors")) && !fs::exists(path("hub/model.safetensors.index.json")));
    const auto config = nlohmann::json::parse(base::readFile(path("hub/config.json")).value());
    QCOMPARE(config.at("architectures")[0].get<std::string>(), std::string("DiTwDDTHead_MF"));
    QCOMPARE(config.at("hidden_size").get<std::vector<int>>(), (std::vector<int>{48, 64}));
    QVERIFY(base::readFile(path("hub/README.md"))->starts_with("---\nlibrary_name: pytorch\n"));
    request.out = path("shards");
    request.shard_bytes = 300'000;
    const auto split = exportCheckpoint(request);
    QVERIFY2(split.ok() && split->files.size() > 4, split ? "too few files" : split.error().message.c_str());
    for (const auto& file : split->files)
      if (file.ends_with(".safetensors")) QVERIFY(fs::file_size(file) < 320'000);
    for (const auto* folder : {"hub", "shards"})
      QCOMPARE(firstDifference(tensorsIn(path(folder)), ema_), std::string());
  }
  void decoderAndStatisticsAreExportedAsPublished() {
    auto request = asked("model.pt", ExportFormat::kPt, "decoder");
    request.run = path("autoencoder");
    QVERIFY(exportCheckpoint(request).ok());
    QCOMPARE(firstDifference(tensorsIn(path("model.pt")), decoder_), std::string());
    request.stage = "statistics", request.out = path("stat.pt");
    QVERIFY(exportCheckpoint(request).ok());
    QCOMPARE(firstDifference(tensorsIn(path("stat.pt")), goldenTensors("rae_dinov2/stat.safetensors")), std::string());
    request.stage = "decoder", request.out = path("decoder_hub"), request.format = ExportFormat::kHub;
    QVERIFY(exportCheckpoint(request).ok());
    const auto config = nlohmann::json::parse(base::readFile(path("decoder_hub/config.json")).value());
    QCOMPARE(config.at("decoder_num_attention_heads").get<int>(), 2);
    QCOMPARE(config.at("model_type").get<std::string>(), std::string("vit_mae"));
  }
  void nothingIsReplacedUnasked() {
    base::writeFileAtomically(path("taken.pt"), std::string_view("letter")).value();
    auto request = asked("taken.pt", ExportFormat::kPt);
    VERIFY_HAS(exportCheckpoint(request).error().message, "taken.pt exists; --force replaces it");
    QCOMPARE(base::readFile(path("taken.pt")).value(), std::string("letter"));
    request.force = true;
    QVERIFY(exportCheckpoint(request).ok());
    fs::create_directories(path("photos/summer"));
    auto folder = asked("photos", ExportFormat::kHub);
    folder.force = true;
    VERIFY_HAS(exportCheckpoint(folder).error().message, "is a folder that no export has made");
    QVERIFY(fs::exists(path("photos/summer")));
    auto both = asked("both.npz", ExportFormat::kNpz, {}, ExportedWeights::kBoth);
    VERIFY_HAS(exportCheckpoint(both).error().message, "only as --format pt");
    auto absent = asked("absent.pt", ExportFormat::kPt, "teacher");
    VERIFY_HAS(exportCheckpoint(absent).error().message, "has no checkpoint of stage teacher");
    auto step = asked("step.pt", ExportFormat::kPt);
    step.step = 31;
    VERIFY_HAS(exportCheckpoint(step).error().message, "has no checkpoint of stage mean_flow at step 31; there are 30");
    QVERIFY(!fs::exists(path("absent.pt")) && !fs::exists(path("both.npz")) && !fs::exists(path("step.pt")));
  }
};
STUDIO_TEST(TestExport)
#include "tst_export.moc"
