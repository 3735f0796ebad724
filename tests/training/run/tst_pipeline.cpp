// SPDX-License-Identifier: Apache-2.0
//
// The whole pipeline, tiny, through TrainingRun: what a run leaves behind, stopping and going on, and what is refused.
#include <ATen/Context.h>
#include <unistd.h>

#include <QTemporaryDir>
#include <nlohmann/json.hpp>
#include <set>

#include "core/base/events/event_log.h"
#include "core/base/formats/png.h"
#include "core/device/device.h"
#include "tests/support/studio_test.h"
#include "tests/training/run/pipeline_run.h"
#include "tests/training/run/tiny_preset.h"

using namespace meanflow;
using namespace meanflow::testing::pipeline;
using training::RunEnd;
using training::TrainingRun;
namespace fs = std::filesystem;

class TestPipeline : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase() {
    core::initialiseTorch();
    QVERIFY(temporary_.isValid());
    preset_ = testing::writeTinyPreset(root());
    whole_ = work(requestFor(folder("whole"), preset_));
    QVERIFY2(whole_.end.ok(), textOf(whole_.end).c_str());
    QCOMPARE(*whole_.end, RunEnd::kFinished);
  }

  void everyStageTrainsToItsEndInOrder() {
    const std::map<std::string, std::int64_t> steps = {
        {"encoder", 8}, {"decoder", 8}, {"teacher", 10}, {"cmt", 6}, {"mean_flow", 6}};
    std::vector<std::string> finished;
    for (const auto& event : whole_.listener->all<base::StageFinished>()) {
      if (event.stage == "report") continue;  // not trained
      finished.push_back(event.stage);
      QCOMPARE(event.step, steps.at(event.stage));
    }
    QCOMPARE(finished, kStages);
    std::map<std::string, std::int64_t> reported;
    for (const auto& event : whole_.listener->all<base::StepCompleted>()) ++reported[event.stage];
    QCOMPARE(reported, steps);
    const auto run = base::RunFolder::open(folder("whole"));
    for (const auto& stage : kStages) {
      const auto checkpoints = run->listCheckpoints(stage);
      QCOMPARE(checkpoints.size(), std::size_t(2));  // keep_checkpoints
      QCOMPARE(checkpoints.back().step, steps.at(stage));
    }
  }

  void theRunStartsWithWhatItIs() {
    const auto started = whole_.listener->all<base::RunStarted>();
    QCOMPARE(started.size(), std::size_t(1));
    QCOMPARE(started[0].seed, std::uint64_t(3));
    QCOMPARE(started[0].device, std::string("cpu"));
    QCOMPARE(started[0].num_workers, 2);
    QCOMPARE(started[0].run_name, std::string("whole"));
    QCOMPARE(started[0].class_names, (std::vector<std::string>{"across", "disc", "down"}));
    QVERIFY(!started[0].is_resumed);
    const auto finished = whole_.listener->all<base::RunFinished>();
    QCOMPARE(finished.size(), std::size_t(1));
    QCOMPARE(finished[0].outcome, std::string("finished"));
  }

  void theReportHoldsThePromisedKeys() {
    const auto report = nlohmann::json::parse(base::readFile(fs::path(folder("whole")) / "report/report.json").value());
    QCOMPARE(report.at("seed").get<int>(), 3);
    QCOMPARE(report.at("num_workers").get<int>(), 2);
    QCOMPARE(report.at("num_samples").get<int>(), 24);
    QVERIFY(report.at("wall_seconds").get<double>() > 0);
    QVERIFY(report.at("psnr_test").get<double>() > 0);
    const double judge_accuracy = report.at("judge_accuracy").get<double>();
    QVERIFY(judge_accuracy >= 0 && judge_accuracy <= 1);
    std::vector<std::string> stages;
    for (const auto& stage : report.at("stages")) {
      stages.push_back(stage.at("stage").get<std::string>());
      QVERIFY(stage.at("steps").get<int>() > 0 && stage.at("wall_seconds").get<double>() > 0 &&
              stage.at("cpu_seconds").get<double>() > 0);
    }
    QCOMPARE(stages, kStages);
    for (const char* key : {"cmt_1", "cmt_2", "student_1", "student_2", "student_4", "teacher_3", "teacher_3_guided"}) {
      QVERIFY2(report.at("samples").contains(key), key);
      const auto& row = report.at("samples").at(key);
      const double accuracy = row.at("accuracy").get<double>();
      QVERIFY(accuracy >= 0 && accuracy <= 1);
      double mean = 0;
      for (const char* name : {"across", "disc", "down"})
        mean += row.at("accuracy_by_class").at(name).get<double>() / 3;
      QVERIFY2(std::abs(mean - accuracy) < 1e-9,
               "as many samples of each class, so the mean over classes is the accuracy");
      for (const char* distance : {"frechet_real", "frechet_recon", "frechet_recon_relative"})
        QVERIFY2(std::isfinite(row.at(distance).get<double>()), distance);
    }
    for (const char* weights : {"cmt", "student"})
      for (const char* steps : {"1", "2", "4"})
        QVERIFY(report.at("latent_error").at(weights).at(steps).get<double>() > 0);
    for (const char* floor : {"real", "recon", "recon_relative"}) QVERIFY2(report.at("floors").contains(floor), floor);
    for (const auto& grid : report.at("grids"))
      QVERIFY(base::readPng(fs::path(folder("whole")) / "report" / grid.get<std::string>()).ok());
    QVERIFY(report.at("grids").size() >= 9);
    for (const char* file : {"report.md", "report.txt"})
      QVERIFY(fs::file_size(fs::path(folder("whole")) / "report" / file) > 0);
  }

  void theEventLogTellsTheWholeRun() {
    const auto records = base::readAllEvents(base::RunFolder::open(folder("whole"))->events());
    QVERIFY2(records.ok(), records ? "" : records.error().message.c_str());
    QCOMPARE(records->size(), whole_.listener->events.size());
    int num_started = 0, num_finished = 0;
    for (std::size_t i = 0; i < records->size(); ++i) {
      QCOMPARE((*records)[i].sequence, static_cast<std::int64_t>(i));
      num_started += std::holds_alternative<base::RunStarted>((*records)[i].event);
      num_finished += std::holds_alternative<base::RunFinished>((*records)[i].event);
    }
    QCOMPARE(num_started, 1);
    QCOMPARE(num_finished, 1);
    const auto* last = std::get_if<base::StateChanged>(&records->back().event);
    QVERIFY(last && last->state == base::RunState::kFinished);
  }

  void everyStageHasItsTensorBoardFile() {
    for (const auto& stage : kStages) {
      int num_files = 0;
      for (const auto& entry : fs::directory_iterator(base::RunFolder::open(folder("whole"))->tensorboard() / stage))
        if (entry.path().filename().string().find("tfevents") != std::string::npos && entry.file_size() > 0)
          ++num_files;
      QCOMPARE(num_files, 1);
    }
  }

  void livePicturesLieWhereTheEventsSay() {
    std::set<std::string> stages;
    for (const auto& samples : whole_.listener->all<base::SamplesReady>()) {
      stages.insert(samples.stage);
      QVERIFY2(base::readPng(fs::path(folder("whole")) / samples.path).ok(), samples.path.c_str());
    }
    QCOMPARE(stages, std::set<std::string>(kStages.begin(), kStages.end()));
    for (const auto& message : whole_.listener->all<base::LogMessage>())
      QVERIFY2(message.level != "warn" && message.level != "error", message.text.c_str());
  }

  void aFinishedRunStartedAgainIsFinishedAtOnceAndKeepsItsReport() {
    fs::copy(folder("whole"), folder("again"), fs::copy_options::recursive);
    const auto weights = filesIn(folder("again"), ".safetensors");
    const auto report = filesIn(fs::path(folder("again")) / "report");
    const auto again = work(requestFor(folder("again")));
    QVERIFY2(again.end.ok(), textOf(again.end).c_str());
    QCOMPARE(*again.end, RunEnd::kFinished);
    QVERIFY(again.listener->all<base::StepCompleted>().empty());
    QVERIFY(again.listener->all<base::RunStarted>().at(0).is_resumed);
    QCOMPARE(filesIn(folder("again"), ".safetensors"), weights);
    QCOMPARE(filesIn(fs::path(folder("again")) / "report"), report);
  }

  void otherEvaluationSettingsScoreAgain() {
    fs::copy(folder("whole"), folder("rescored"), fs::copy_options::recursive);
    const auto again = work(requestFor(folder("rescored"), {}, {"evaluation.teacher_steps=2"}));
    QVERIFY2(again.end.ok(), textOf(again.end).c_str());
    const auto report =
        nlohmann::json::parse(base::readFile(fs::path(folder("rescored")) / "report/report.json").value());
    QVERIFY(report.at("samples").contains("teacher_2") && !report.at("samples").contains("teacher_3"));
  }

  void stoppedInEveryStageAndContinuedItEndsWithTheSameWeights() {
    const auto request = requestFor(folder("parts"), preset_);
    for (const auto& stage : kStages) {
      const auto stopped = work(request, [&](const base::TrainingEvent& event) {
        const auto* step = std::get_if<base::StepCompleted>(&event);
        return step && step->stage == stage && step->step == 4;
      });
      QVERIFY2(stopped.end.ok(), textOf(stopped.end).c_str());
      QCOMPARE(*stopped.end, RunEnd::kStopped);
      QCOMPARE(stopped.listener->all<base::CheckpointSaved>().back().stage, stage);
      QCOMPARE(stopped.listener->all<base::CheckpointSaved>().back().step, std::int64_t(5));
      QCOMPARE(stopped.listener->all<base::RunFinished>().at(0).outcome, std::string("stopped"));
    }
    const auto scoring = work(request, [](const base::TrainingEvent& event) {
      const auto* progress = std::get_if<base::Progress>(&event);
      return progress && progress->what == "scoring";
    });
    QVERIFY2(scoring.end.ok(), textOf(scoring.end).c_str());
    const auto last = work(request);
    QVERIFY2(last.end.ok(), textOf(last.end).c_str());
    QCOMPARE(*last.end, RunEnd::kFinished);
    for (const auto& stage : kStages) {
      const auto parts = base::RunFolder::open(folder("parts"))->listCheckpoints(stage).back(),
                 whole = base::RunFolder::open(folder("whole"))->listCheckpoints(stage).back();
      QCOMPARE(parts.step, whole.step);
      for (const char* file : {"model.safetensors", "ema.safetensors", "optimizer.safetensors"})
        QVERIFY2(base::readFile(parts.path / file).value() == base::readFile(whole.path / file).value(),
                 (stage + "/" + file).c_str());
    }
    // Everything is a function of (seed, step), so the scores agree too; times and the run's own path do not.
    const auto samples = [&](const std::string& name) {
      return nlohmann::json::parse(base::readFile(fs::path(folder(name)) / "report/report.json").value()).at("samples");
    };
    QCOMPARE(samples("parts").dump(), samples("whole").dump());
  }

  void settingsThatAResumedRunGoesOnWithAreAnnouncedOnceEach() {
    const auto request = requestFor(folder("changed"), preset_, {"stages=[encoder, decoder, teacher]"});
    const auto stopped = work(request, [](const base::TrainingEvent& event) {
      const auto* step = std::get_if<base::StepCompleted>(&event);
      return step && step->stage == "teacher" && step->step == 4;
    });
    QCOMPARE(*stopped.end, RunEnd::kStopped);
    QVERIFY(stopped.listener->all<base::SettingChanged>().empty());  // a new run has its settings, it changes none
    const auto reached = base::RunFolder::open(folder("changed"))->listCheckpoints("teacher").back().step;
    // The third is what it was: nothing changes.
    const auto resumed = work(requestFor(
        folder("changed"), {}, {"teacher.training.lr=1e-3", "watch.budget=0.5", "teacher.training.steps=10"}));
    QVERIFY2(resumed.end.ok(), textOf(resumed.end).c_str());
    const auto changes = resumed.listener->all<base::SettingChanged>();
    QCOMPARE(changes.size(), std::size_t{2});
    QCOMPARE(changes[0].key, std::string("teacher.training.lr"));
    QCOMPARE(changes[0].old_value, std::string("0.002"));
    QCOMPARE(changes[0].new_value, std::string("0.001"));
    QCOMPARE(changes[1].key, std::string("watch.budget"));
    for (const auto& change : changes) {
      QCOMPARE(change.stage, std::string("teacher"));
      QCOMPARE(change.step, reached);
    }
    // Where every stage is done the change belongs to the end of the last one.
    const auto again = work(requestFor(folder("changed"), {}, {"watch.columns=3"}));
    const auto last = again.listener->all<base::SettingChanged>();
    QCOMPARE(last.size(), std::size_t{1});
    QCOMPARE(last[0].stage, std::string("teacher"));
    QCOMPARE(last[0].step, std::int64_t{10});
  }

  void aDiscardWhileScoringIsCalledDiscarded() {
    fs::copy(folder("whole"), folder("discarded"), fs::copy_options::recursive);
    fs::remove_all(fs::path(folder("discarded")) / "report");
    const auto ended = work(
        requestFor(folder("discarded")),
        [](const base::TrainingEvent& event) {
          const auto* progress = std::get_if<base::Progress>(&event);
          return progress && progress->what == "scoring" && progress->done == 1;
        },
        base::Discard{});
    QVERIFY2(ended.end.ok(), textOf(ended.end).c_str());
    QCOMPARE(*ended.end, RunEnd::kDiscarded);
    QVERIFY(!fs::exists(fs::path(folder("discarded")) / "report/report.json"));
  }

  void aDivergedRunSaysWhereAndAfterHowManySteps() {
    const auto ended = work(
        requestFor(folder("diverged"), preset_,
                   {"teacher.training.lr=10", "teacher.training.weight_decay=10", "teacher.training.warmup_steps=0",
                    "teacher.training.schedule=constant", "teacher.training.steps=60"}));
    QVERIFY(!ended.end && ended.end.error().kind == base::ErrorKind::kDiverged);
    const auto failed = ended.listener->all<base::RunFailed>();
    QCOMPARE(failed.size(), std::size_t(1));
    QVERIFY(failed[0].is_diverged);
    QCOMPARE(failed[0].stage, std::string("teacher"));
    QVERIFY2(failed[0].step >= 1, qPrintable(QString::number(failed[0].step)));
    const auto expected = "diverged at step " + std::to_string(failed[0].step + 1);
    QVERIFY2(failed[0].what.find(expected) != std::string::npos, failed[0].what.c_str());
  }

  // A window trains one run after the other in one process.
  void theArithmeticOfARunEndsWithIt() {
    const auto precision = [] { return at::globalContext().float32MatmulPrecision(); };
    const auto before = precision();
    auto during = before;
    const auto look = [&](const base::TrainingEvent& event) {
      if (std::holds_alternative<base::StepCompleted>(event)) during = precision();
      return false;
    };
    const auto ended = work(requestFor(folder("tf32"), preset_, {"precision=tf32", "stages=[encoder]"}), look);
    QVERIFY2(ended.end.ok(), textOf(ended.end).c_str());
    QVERIFY(during == at::Float32MatmulPrecision::HIGH);
    QVERIFY(precision() == before);
  }

  void aRunInUseIsRefused() {
    auto first = TrainingRun::prepare(requestFor(folder("in_use"), preset_), {});
    QVERIFY(first.ok());
    const auto before = filesIn(folder("in_use"));
    const auto second = TrainingRun::prepare(requestFor(folder("in_use")), {});
    QVERIFY(!second.ok());
    QVERIFY2(second.error().message.find("another process is training into this run") != std::string::npos,
             second.error().message.c_str());
    QCOMPARE(filesIn(folder("in_use")), before);
    first->reset();
    QVERIFY(TrainingRun::prepare(requestFor(folder("in_use")), {}).ok());
  }

  void aFolderThatIsNoRunIsRefusedAndLeftAlone() {
    fs::create_directories(folder("holiday"));
    base::writeFileAtomically(fs::path(folder("holiday")) / "letter.txt", "dear").value();
    for (const std::string& config : {std::string(), preset_}) {
      const auto run = TrainingRun::prepare(requestFor(folder("holiday"), config), {});
      QVERIFY(!run.ok());
      QCOMPARE(run.error().kind, base::ErrorKind::kUsage);
      QVERIFY2(run.error().message.find("holiday") != std::string::npos, run.error().message.c_str());
      QCOMPARE(filesIn(folder("holiday")).size(), std::size_t(1));
    }
  }

  void aPlaceThatCannotBeWrittenIsRefused() {
    base::writeFileAtomically(root() / "file", "x").value();
    const auto below_file = TrainingRun::prepare(requestFor((root() / "file" / "run").string(), preset_), {});
    QVERIFY(!below_file.ok());
    QVERIFY2(below_file.error().message.find("file/run") != std::string::npos, below_file.error().message.c_str());
    if (geteuid() == 0) return;  // root may write anywhere
    fs::create_directories(folder("locked"));
    fs::permissions(folder("locked"), fs::perms::owner_read | fs::perms::owner_exec);
    const auto locked = TrainingRun::prepare(requestFor(folder("locked") + "/run", preset_), {});
    QVERIFY(!locked.ok());
    QVERIFY2(locked.error().message.find("ermission denied") != std::string::npos, locked.error().message.c_str());
  }

  void aRecordThatCannotBeWrittenIsAnErrorNotAnException() {
    QVERIFY(TrainingRun::prepare(requestFor(folder("no_record"), preset_), {}).ok());
    fs::remove(fs::path(folder("no_record")) / "events.jsonl");
    fs::create_directories(fs::path(folder("no_record")) / "events.jsonl");
    const auto run = TrainingRun::prepare(requestFor(folder("no_record")), {});
    QVERIFY(!run.ok());
    QVERIFY2(run.error().message.find("events.jsonl") != std::string::npos, run.error().message.c_str());
  }

 private:
  fs::path root() const { return temporary_.path().toStdString(); }
  std::string folder(const std::string& name) const { return (root() / name).string(); }

  QTemporaryDir temporary_;
  std::string preset_;
  Ended whole_;
};
STUDIO_TEST(TestPipeline)
#include "tst_pipeline.moc"
