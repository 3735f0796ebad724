// SPDX-License-Identifier: Apache-2.0
//
// The training library as the window opens it: what it answers beside training and sampling.
#include <dlfcn.h>

#include <QFile>
#include <QTemporaryDir>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <future>

#include "core/base/config/config_io.h"
#include "core/base/run/run_folder.h"
#include "core/base/run/run_state.h"
#include "core/base/run/training_host.h"
#include "tests/support/studio_test.h"
#include "tests/training/run/tiny_preset.h"

using namespace meanflow;

namespace {

constexpr auto kPatience = std::chrono::minutes(2);

/// The next answer to a question that has one.
template <class Answer, class Ask>
Answer answerTo(const Ask& ask) {
  auto promise = std::make_shared<std::promise<Answer>>();
  auto answer = promise->get_future();
  ask([promise](const Answer& given) { promise->set_value(given); });
  if (answer.wait_for(kPatience) != std::future_status::ready) throw std::runtime_error("no answer came");
  return answer.get();
}

/// Folders beside a run in which one of its steps is being replayed.
std::vector<std::filesystem::path> placesToReplay(const std::filesystem::path& run) {
  std::vector<std::filesystem::path> places;
  for (const auto& entry : std::filesystem::directory_iterator(run.parent_path()))
    if (entry.path().filename().string().starts_with(".replay-" + run.filename().string()))
      places.push_back(entry.path());
  return places;
}

qsizetype stepsReplayed(const std::filesystem::path& run) {
  qsizetype count = 0;
  for (const auto& place : placesToReplay(run)) {
    QFile events(place / "events.jsonl");
    if (events.open(QIODevice::ReadOnly)) count += events.readAll().count("\"step_completed\"");
  }
  return count;
}

class Ignore final : public base::EventSink {
 public:
  void publish(const base::EventRecord&) override {}
};

}  // namespace

class TestTrainingHost : public QObject {
  Q_OBJECT
 private:
  QTemporaryDir folder_;
  std::string preset_, yaml_;
  std::unique_ptr<base::TrainingHost> host_;

 private Q_SLOTS:
  void initTestCase() {
    void* library = dlopen(TRAINING_HOST, RTLD_NOW | RTLD_LOCAL);
    QVERIFY2(library, dlerror());
    const auto create = reinterpret_cast<base::CreateTrainingHost>(dlsym(library, base::kCreateTrainingHostSymbol));
    QVERIFY(create);
    host_.reset(create());
    preset_ = testing::writeTinyPreset(folder_.path().toStdString());
    yaml_ = base::toYaml(base::loadConfig(preset_).value());
  }
  void cleanupTestCase() { host_.reset(); }

  void costsAreEstimatedForGpusAndWhatIsMissingIsSaid() {
    const auto ask = [&](const std::string& yaml, const std::string& device) {
      return answerTo<base::CostEstimate>([&](const std::function<void(const base::CostEstimate&)>& deliver) {
        host_->estimateCost(yaml, device, deliver);
      });
    };
    const auto imagenet = base::toYaml(base::loadConfig("mf-rae-mfd-256").value());
    const auto estimate = ask(imagenet, "cuda:0");
    QVERIFY2(estimate.missing.empty(), estimate.missing.c_str());
    QVERIFY(estimate.deviceHours("mean_flow") > 1);
    QVERIFY(estimate.basis.find("H100") != std::string::npos);
    QVERIFY(estimate.deviceHours("encoder") < 0);  // not one of its stages
    QVERIFY(ask(imagenet, "cpu").missing.find("no throughput is known for a CPU") != std::string::npos);
    QVERIFY(ask("sed: 1\n", "cuda:0").missing.find("sed") != std::string::npos);
  }

  void checkpointsAreLookedInto() {
    const auto ask = [&](const std::string& stage, const std::string& file) {
      base::CheckpointQuestion question;
      question.stage = stage;
      question.source = testing::testsFolder() + "/golden/" + file;
      question.config = base::toYaml(base::RunConfig());
      return answerTo<base::CheckpointFinding>([&](const std::function<void(const base::CheckpointFinding&)>& deliver) {
        host_->inspectCheckpoint(question, deliver);
      });
    };
    const auto teacher = ask("teacher", "ddt_dh/weights.safetensors");
    QVERIFY2(teacher.refusal.empty(), teacher.refusal.c_str());
    QVERIFY(teacher.num_tensors > 0 && !teacher.changes.empty());
    QVERIFY(ask("decoder", "ddt_dh/weights.safetensors").refusal.find("which is no decoder") != std::string::npos);
  }

  void dataAreBrowsed() {
    base::DataQuestion question;
    question.config = yaml_;
    question.label = 2;
    question.count = 3;
    const auto answer = answerTo<base::DataAnswer>(
        [&](const std::function<void(const base::DataAnswer&)>& deliver) { host_->browseData(question, deliver); });
    QVERIFY2(answer.error.empty(), answer.error.c_str());
    QCOMPARE(answer.class_names.size(), std::size_t{testing::kTinyClasses});
    QCOMPARE(answer.images.size(), std::size_t{3});
    QVERIFY(answer.sources[0].starts_with("down/"));
  }

  void aPreflightComesAlone() {
    std::promise<base::PreflightReport> promise;
    auto report = promise.get_future();
    std::atomic<int> num_progress = 0;
    std::promise<void> begun, asked;
    auto others_asked = asked.get_future();
    const auto listen = [&](const base::PreflightNews& news) {
      if (news.report) return promise.set_value(*news.report);
      if (num_progress++ > 0) return;
      begun.set_value();
      others_asked.wait();  // on the pre-flight's thread: it is going on while others are asked for
    };
    QVERIFY(host_->startPreflight({yaml_, folder_.filePath("run").toStdString()}, listen).ok());
    begun.get_future().wait();
    const auto second = host_->startPreflight({yaml_, {}}, [](const base::PreflightNews&) {});
    const auto run =
        host_->start({folder_.filePath("early").toStdString(), preset_, {}, false, {}}, std::make_shared<Ignore>());
    asked.set_value();
    QVERIFY(!second.ok() && second.error().message.find("a pre-flight is going on already") != std::string::npos);
    QVERIFY(!run.ok() && run.error().message.find("wait for its page or cancel it") != std::string::npos);
    QVERIFY(report.wait_for(kPatience) == std::future_status::ready);
    const auto seen = report.get();
    QVERIFY2(!seen.isRefused(), base::toText(seen).c_str());
    QVERIFY(num_progress > 5);
    QVERIFY(!std::filesystem::exists(folder_.filePath("run").toStdString()));
  }

  void aReplayEndsSoonAfterItIsCancelled() {
    // Nobody trained this run: its step 900,000 is reached from the very first one.
    auto config = base::loadConfig(preset_, {"encoder.training.steps=1000000"});
    QVERIFY2(config.ok(), config.ok() ? "" : config.error().message.c_str());
    const std::filesystem::path path = folder_.filePath("long").toStdString();
    QVERIFY(base::RunFolder::create(path, *config).ok());
    const base::BranchPoint at{path.string(), "encoder", 900'000};
    for (const bool is_late : {false, true}) {
      const auto outcome =
          answerTo<base::ReplayOutcome>([&](const std::function<void(const base::ReplayOutcome&)>& deliver) {
            const auto begun = host_->startReplay(at, deliver);
            if (!begun.ok()) throw std::runtime_error(begun.error().message);
            if (is_late && !QTest::qWaitFor([&] { return stepsReplayed(path) > 2; }, 120'000))
              throw std::runtime_error("the replay makes no steps");
            host_->cancelReplay();
          });
      QVERIFY(outcome.is_cancelled);
      QVERIFY(!outcome.error.empty());
      QCOMPARE(placesToReplay(path).size(), std::size_t{0});
      QVERIFY(!std::filesystem::exists(path / "encoder" / "diagnostics"));
    }
    host_->cancelReplay();  // none is going on
  }

  void settingsThatCannotBeReadAreARefusal() {
    std::promise<base::PreflightReport> promise;
    auto report = promise.get_future();
    const auto begun = host_->startPreflight({"sed: 1\n", {}}, [&](const base::PreflightNews& news) {
      if (news.report) promise.set_value(*news.report);
    });
    QVERIFY2(begun.ok(), begun.ok() ? "" : begun.error().message.c_str());
    QVERIFY(report.wait_for(kPatience) == std::future_status::ready);
    const auto seen = report.get();
    QVERIFY(seen.isRefused());
    QVERIFY(seen.findings[0].sentence.find("sed") != std::string::npos);
  }
};
STUDIO_TEST(TestTrainingHost)
#include "tst_training_host.moc"
