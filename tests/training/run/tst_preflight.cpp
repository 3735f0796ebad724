// SPDX-License-Identifier: Apache-2.0
//
// Dry steps of a configuration: what they measure, what is refused and with which advice, that nothing stays behind.
#include <QTemporaryDir>
#include <atomic>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "core/base/config/config_io.h"
#include "core/checkpoint/tensor_file.h"
#include "core/device/device.h"
#include "tests/support/studio_test.h"
#include "tests/training/run/tiny_preset.h"
#include "training/run/preflight.h"
#include "training/run/preflight_checks.h"
#include "training/run/rehearsal.h"
#include "training/run/run_context.h"
#include "training/run/training_run.h"

using namespace meanflow;
using base::PreflightOutcome;
using base::PreflightSeverity;
namespace fs = std::filesystem;

namespace {

#define VERIFY_TELLS(text, part) QVERIFY2((text).find(part) != std::string::npos, (text).c_str())

class CheckpointSizes final : public base::EventSink {
 public:
  void publish(const base::EventRecord& record) override {
    if (const auto* saved = std::get_if<base::CheckpointSaved>(&record.event)) bytes[saved->stage] = saved->bytes;
  }
  std::map<std::string, std::int64_t> bytes;
};

std::string refusalsOf(const base::PreflightReport& report) {
  std::string text;
  for (const auto& finding : report.findings)
    if (finding.severity == PreflightSeverity::kRefusal) text += "[" + finding.key + "] " + finding.sentence + "\n";
  return text;
}

std::string allOf(const base::PreflightReport& report) {
  std::string text;
  for (const auto& finding : report.findings) text += finding.sentence + "\n";
  return text;
}

base::PreflightReport flyFrom(const base::RunConfig& config, const std::string& run_folder, int num_steps) {
  training::PreflightOptions options;
  options.run_folder = run_folder;
  options.num_steps = num_steps;
  return training::runPreflight(config, options);
}

int numTemporaryFolders() {
  int count = 0;
  for (const auto& entry : fs::directory_iterator(fs::temp_directory_path()))
    count += entry.path().filename().string().starts_with("meanflow-preflight-") ? 1 : 0;
  return count;
}

}  // namespace

class TestPreflight : public QObject {
  Q_OBJECT
 private:
  QTemporaryDir temporary_;
  std::string preset_;
  std::shared_ptr<CheckpointSizes> sizes_ = std::make_shared<CheckpointSizes>();

  std::string path(const std::string& name) const {
    return temporary_.filePath(QString::fromStdString(name)).toStdString();
  }
  std::string checkpoint(const std::string& stage) const {
    return base::RunFolder::open(path("whole"))->listCheckpoints(stage).back().path.string();
  }
  base::PreflightReport fly(const std::vector<std::string>& overrides) const {
    const auto config = base::loadConfig(preset_, overrides);
    if (!config) {
      base::PreflightReport report;
      report.findings.push_back({PreflightSeverity::kRefusal, "test", config.error().message, {}});
      return report;
    }
    return flyFrom(*config, path("never"), 2);
  }

 private Q_SLOTS:
  void initTestCase() {
    core::initialiseTorch();
    preset_ = testing::writeTinyPreset(temporary_.path().toStdString());
    base::RunRequest request;
    request.run_folder = path("whole"), request.config = preset_;
    request.overrides = {"stages=[encoder, decoder, teacher, cmt, mean_flow]"};
    auto run = training::TrainingRun::prepare(request, {sizes_});
    QVERIFY2(run.ok(), run ? "" : run.error().message.c_str());
    QVERIFY((*run)->run().ok());
  }

  void everyTrainedStageIsMeasuredAndNothingIsWritten() {
    const int folders = numTemporaryFolders();
    const auto report = fly({});
    QVERIFY2(!report.isRefused(), refusalsOf(report).c_str());
    QVERIFY(!report.is_cancelled);
    QCOMPARE(report.device, std::string("cpu"));
    QCOMPARE(report.num_workers, 2);
    QCOMPARE(report.stages.size(), std::size_t{6});
    const std::map<std::string, std::int64_t> steps = {
        {"encoder", 8}, {"decoder", 8}, {"teacher", 10}, {"cmt", 6}, {"mean_flow", 6}};
    double seconds = 0;
    for (const auto& stage : report.stages) {
      if (stage.stage == "report") {
        QVERIFY(stage.outcome == PreflightOutcome::kNotMeasured && !stage.note.empty());
        continue;
      }
      QVERIFY2(stage.outcome == PreflightOutcome::kMeasured, (stage.stage + ": " + stage.note).c_str());
      QCOMPARE(stage.steps, steps.at(stage.stage));
      QCOMPARE(stage.measured_steps, std::int64_t{2});
      QVERIFY(stage.seconds_per_step > 0 && stage.preparation_seconds >= 0);
      QVERIFY(std::abs(stage.seconds() - stage.preparation_seconds - stage.seconds_per_step * stage.steps) < 1e-9);
      seconds += stage.seconds();
      QVERIFY(stage.num_parameters > 0);
      // Of 8 steps, saved at 3, 6 and 8, two are kept; of 10 likewise, of 6 both.
      QCOMPARE(stage.checkpoints_kept, std::int64_t{2});
      // The tensors of the real run's files, without their headers.
      const auto saved = sizes_->bytes.at(stage.stage);
      QVERIFY2(stage.checkpoint_bytes < saved && stage.checkpoint_bytes > saved - 64 * 1024,
               (stage.stage + " " + std::to_string(stage.checkpoint_bytes) + " of " + std::to_string(saved)).c_str());
    }
    QCOMPARE(report.seconds(), seconds);
    QCOMPARE(report.deviceHours(), seconds * 2 / 3600);
    QVERIFY(report.disk_free_bytes > report.diskBytes());
    QVERIFY(report.peakMemoryBytes() > 0 && report.peakMemoryBytes() < report.memory_total_bytes);
    QVERIFY(!fs::exists(path("never")));
    QCOMPARE(numTemporaryFolders(), folders);
    // 3 classes of 7 training pictures each.
    VERIFY_TELLS(allOf(report), "the data has 3 classes");
    VERIFY_TELLS(allOf(report),
                 "encoder, decoder, teacher, mean_flow: a pass over the data is 2 batches of 8 and 5 images over");
    const auto json = base::toJson(report);
    QVERIFY(json["can_start"].get<bool>());
    QCOMPARE(json["stages"][2]["stage"].get<std::string>(), std::string("teacher"));
    QCOMPARE(json["stages"][2]["disk_bytes"].get<std::int64_t>(), report.stages[2].diskBytes());
    VERIFY_TELLS(base::toText(report), "can start");
  }

  void theTrainingThatFollowsIsNotTouched() {
    // The generator and the thread settings of the process are as before: the same run gives the same bytes.
    const auto train = [&](const std::string& name) {
      base::RunRequest request;
      request.run_folder = path(name), request.config = preset_, request.overrides = {"stages=[encoder]"};
      auto run = training::TrainingRun::prepare(request, {});
      run.value()->run().value();
      const auto step = base::RunFolder::open(path(name))->listCheckpoints("encoder").back().path.string();
      return core::loadTensors(step + "/model.safetensors").value();
    };
    const auto before = train("before");
    (void)fly({"stages=[encoder]"});
    const auto after = train("after");
    QCOMPARE(before.size(), after.size());
    for (const auto& [name, tensor] : before) QVERIFY2(torch::equal(tensor, after.at(name)), name.c_str());
  }

  void whatStandsInTheWayIsNamedWithTheKeyAndWhatToChange_data() {
    QTest::addColumn<QString>("override");
    QTest::addColumn<QString>("sentence");
    QTest::newRow("classes") << "data.num_classes=5"
                             << "[data.num_classes] data.num_classes is 5, but the data has 3 classes; set it to 0";
    QTest::newRow("order") << "stages=[teacher]"
                           << "[stages] stage teacher needs a finished encoder: put encoder before it in stages";
    QTest::newRow("statistics missing") << "stages=[encoder, teacher]"
                                        << "[decoder.statistics] stage teacher needs latent statistics";
    QTest::newRow("student first") << "stages=[encoder, decoder, cmt]"
                                   << "stage cmt needs a finished teacher";
    QTest::newRow("control") << "stages=[control]"
                             << "stage control needs a finished cmt";
    QTest::newRow("batch") << "teacher.training.batch_size=1"
                           << "[teacher.training.batch_size] teacher.training.batch_size is 1, smaller than the number "
                              "of workers 2; raise it";
    QTest::newRow("no file") << "teacher.weights=/no/such.pt"
                             << "[teacher.weights] teacher.weights: /no/such.pt: does not exist";
    QTest::newRow("no data") << "data.path=/no/pictures"
                             << "[data.path] data.path: /no/pictures is not a folder";
    QTest::newRow("not supported")
        << "teacher.training.accumulation=2"
        << "[teacher.training.accumulation] teacher.training.accumulation 2 is not supported";
    QTest::newRow("published encoder") << "encoder.kind=dinov2"
                                       << "[encoder.weights] encoder.kind is dinov2, but nothing says where";
  }
  void whatStandsInTheWayIsNamedWithTheKeyAndWhatToChange() {
    QFETCH(QString, override);
    QFETCH(QString, sentence);
    const auto report = fly({override.toStdString()});
    QVERIFY(report.isRefused());
    VERIFY_TELLS(refusalsOf(report), sentence.toStdString());
    for (const auto& stage : report.stages) {
      QVERIFY(stage.outcome != PreflightOutcome::kMeasured);
      QVERIFY2(!stage.note.empty(), stage.stage.c_str());
    }
    QVERIFY(!base::toJson(report)["can_start"].get<bool>());
    VERIFY_TELLS(base::toText(report), "cannot start as it is");
  }

  void namedWeightsAreTakenAndTheirCoverageIsTold() {
    const auto report = fly({"encoder.weights=" + checkpoint("encoder"), "decoder.weights=" + checkpoint("decoder"),
                             "teacher.weights=" + checkpoint("teacher")});
    QVERIFY2(!report.isRefused(), refusalsOf(report).c_str());
    VERIFY_TELLS(allOf(report), "teacher.weights: DiT-DH");
    QVERIFY(allOf(report).find("tensors are there") != std::string::npos);
    std::set<std::string> measured;
    for (const auto& stage : report.stages)
      if (stage.outcome == PreflightOutcome::kMeasured) measured.insert(stage.stage);
    QCOMPARE(measured, (std::set<std::string>{"cmt", "mean_flow"}));
    QVERIFY(report.stages[2].outcome == PreflightOutcome::kTaken);
    VERIFY_TELLS(report.stages[2].note, "its weights are those of");
    // In a network of other sizes they are refused, with the settings that would fit.
    const auto other = fly({"teacher.weights=" + checkpoint("teacher"), "teacher.model.hidden_size=[16, 64]"});
    VERIFY_TELLS(refusalsOf(other), "of another shape");
    VERIFY_TELLS(refusalsOf(other), "it fits with teacher.model.hidden_size=[16, 32]");
  }

  void aLabelTableOfOtherClassesIsRefused() {
    const auto fewer = path("fewer");
    fs::copy(path("pictures"), fewer, fs::copy_options::recursive);
    fs::remove_all(fewer + "/down");
    const auto report = fly({"teacher.weights=" + checkpoint("teacher"), "data.path=" + fewer});
    VERIFY_TELLS(refusalsOf(report),
                 "[teacher.weights] teacher.weights: its label table has 3 classes, but the data has 2");
  }

  void statisticsOfAnotherEncoderAreRefused() {
    core::saveTensors(path("stat.safetensors"), {{"mean", torch::zeros({16, 2, 2})}, {"var", torch::ones({16, 2, 2})}})
        .value();
    const auto other = fly({"decoder.statistics=" + path("stat.safetensors")});
    VERIFY_TELLS(refusalsOf(other),
                 "decoder.statistics: its latents are 16x2x2, but the encoder of these settings makes 16x4x4");
    const auto own =
        fly({"decoder.statistics=" + path("whole/decoder/latent_statistics.safetensors"), "stages=[encoder, decoder]"});
    QVERIFY2(!own.isRefused(), refusalsOf(own).c_str());
    VERIFY_TELLS(allOf(own), "latents 16x4x4, as the encoder makes them");
  }

  void aRunThatIsContinuedIsMeasuredForWhatIsLeft() {
    const auto config = base::loadConfig(path("whole") + "/config.yaml", {"mean_flow.training.steps=9"}).value();
    const auto report = flyFrom(config, path("whole"), 1);
    QVERIFY2(!report.isRefused(), refusalsOf(report).c_str());
    for (const auto& stage : report.stages) {
      if (stage.stage == "mean_flow") {
        QVERIFY(stage.outcome == PreflightOutcome::kMeasured);
        QCOMPARE(stage.steps, std::int64_t{3});
      } else {
        QVERIFY2(stage.outcome == PreflightOutcome::kTaken, stage.stage.c_str());
        QCOMPARE(stage.note, std::string("done already in the run's folder"));
      }
    }
  }

  void fullDisksAreRefused() {
    base::PreflightReport report;
    base::PreflightStage stage;
    stage.stage = "teacher", stage.outcome = PreflightOutcome::kMeasured;
    stage.checkpoint_bytes = std::int64_t{1} << 55, stage.checkpoints_kept = 3;
    report.stages.push_back(stage);
    training::checkDisk(path("a/folder/that/is/not/there"), report);
    VERIFY_TELLS(refusalsOf(report), "lower keep_checkpoints, or choose another folder");
    QVERIFY(report.disk_free_bytes > 0);
  }

  void aCancelledPreflightTellsWhatItHas() {
    const int folders = numTemporaryFolders();
    std::stop_source stop;
    training::PreflightOptions options;
    options.stop = stop.get_token();
    options.num_steps = 50;
    options.progress = [&](const base::PreflightProgress& progress) {
      if (progress.what == "decoder" && progress.done == 2) stop.request_stop();
    };
    const auto config = base::loadConfig(preset_).value();
    const auto report = training::runPreflight(config, options);
    QVERIFY(report.is_cancelled);
    QVERIFY(report.stages[0].outcome == PreflightOutcome::kMeasured);
    for (std::size_t i = 1; i < 5; ++i) {
      QVERIFY(report.stages[i].outcome == PreflightOutcome::kNotMeasured);
      VERIFY_TELLS(report.stages[i].note, "cancelled");
    }
    QCOMPARE(numTemporaryFolders(), folders);
  }

  void aCancelIsTakenWhileDataAreLoaded() {
    std::stop_source stop;
    training::PreflightOptions options;
    options.stop = stop.get_token();
    options.progress = [&](const base::PreflightProgress& progress) {
      if (progress.what == "data" && progress.done == 0) stop.request_stop();
    };
    const auto report = training::runPreflight(base::loadConfig(preset_).value(), options);
    QVERIFY(report.is_cancelled);
    QVERIFY2(!report.isRefused(), refusalsOf(report).c_str());  // that they were not loaded is nobody's fault
    QVERIFY2(allOf(report).find("the data has") == std::string::npos, allOf(report).c_str());
    for (std::size_t i = 0; i < 5; ++i) VERIFY_TELLS(report.stages[i].note, "cancelled");
  }

  void aStopIsTakenWhileAStagePreparesItself_data() {
    QTest::addColumn<QString>("stage");
    QTest::newRow("features of the images") << "decoder";
    QTest::newRow("latents") << "teacher";
    QTest::newRow("a bank of trajectories") << "cmt";
  }
  void aStopIsTakenWhileAStagePreparesItself() {
    QFETCH(const QString, stage);
    const auto config = base::loadConfig(preset_).value();
    const training::TemporaryRun temporary(config);
    const auto data = std::make_shared<const core::ImageDataset>(core::loadDataset(config.data).value());
    base::FanOutSink events;
    std::stop_source stop;
    stop.request_stop();
    std::atomic<int> num_begun = 0;
    const auto rehearse = [&](const std::stop_token& token) {
      (void)training::rehearseStage(stage.toStdString(),
                                    {config, data, torch::kCPU, 2, temporary.folder(), events, token},
                                    {.num_steps = 1, .prepare = [&](int, base::RunConfig&) { ++num_begun; }});
    };
    QVERIFY_THROWS_EXCEPTION(training::RunInterrupted, rehearse(stop.get_token()));
    QCOMPARE(num_begun.load(), 0);
    rehearse({});
    QCOMPARE(num_begun.load(), 2);  // on both workers
  }
};
STUDIO_TEST(TestPreflight)
#include "tst_preflight.moc"
