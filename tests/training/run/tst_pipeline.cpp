// SPDX-License-Identifier: Apache-2.0
//
// The whole pipeline, tiny, through TrainingRun: what a run leaves behind, stopping and going on, what is refused, and
// sampling from the result.
#include <ATen/Context.h>
#include <unistd.h>

#include <QTemporaryDir>
#include <cstring>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "core/base/config/config_io.h"
#include "core/base/events/event_log.h"
#include "core/base/formats/png.h"
#include "core/base/run/atomic_file.h"
#include "core/device/device.h"
#include "tests/support/kept_events.h"
#include "tests/support/studio_test.h"
#include "tests/training/run/tiny_preset.h"
#include "training/run/training_run.h"
#include "training/sampling/class_mix.h"
#include "training/sampling/generator.h"

using namespace meanflow;
using training::RunEnd;
using training::TrainingRun;
namespace fs = std::filesystem;

namespace {

const std::vector<std::string> kStages = {"encoder", "decoder", "teacher", "cmt", "mean_flow"};

struct Ended {
  base::Result<RunEnd> end = RunEnd::kFinished;
  std::shared_ptr<testing::KeptEvents> listener = std::make_shared<testing::KeptEvents>();
};

/// One process's work on a run; `command` is sent when an event satisfies `when`.
Ended work(const base::RunRequest& request, const std::function<bool(const base::TrainingEvent&)>& when = {},
           base::Command command = base::StopAndSave{}) {
  Ended ended;
  auto run = TrainingRun::prepare(request, {ended.listener});
  if (!run) {
    ended.end = run.error();
    return ended;
  }
  if (when)
    ended.listener->answer = [&](const base::TrainingEvent& event) {
      if (when(event)) (*run)->send(command);
    };
  ended.end = (*run)->run();
  return ended;
}

std::map<std::string, std::string> filesIn(const fs::path& folder, const std::string& suffix = {}) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file() && entry.path().string().ends_with(suffix))
      files[fs::relative(entry.path(), folder)] = base::readFile(entry.path()).value();
  return files;
}

base::RunRequest requestFor(const std::string& folder, const std::string& config = {},
                            const std::vector<std::string>& overrides = {}) {
  base::RunRequest request;
  request.run_folder = folder;
  request.config = config;
  request.overrides = overrides;
  return request;
}

std::string textOf(const base::Result<RunEnd>& end) { return end ? "ended without an error" : end.error().message; }

}  // namespace

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

  void aPictureDoesNotDependOnTheOthersOfItsBatch() {
    auto generator = training::Generator::open(folder("whole"), torch::kCPU);
    QVERIFY(generator.ok());
    struct Way {
      bool use_teacher;
      const char *mode, *method;
    };
    for (const Way& way : {Way{false, "ode", "euler"}, Way{true, "ode", "euler"}, Way{true, "ode", "heun2"},
                           Way{true, "ode", "dopri5"}, Way{true, "sde", "euler"}, Way{true, "sde", "heun"}}) {
      base::SampleRequest seven;
      seven.solver = base::SamplingConfig{};
      seven.solver->mode = way.mode;
      seven.solver->method = way.method;
      seven.labels = {0, 1, 2, 0, 1, 2, 0};
      seven.noise_indices = {0, 1, 2, 3, 4, 5, 6};
      seven.seed = 11;
      seven.nfe = 2;
      seven.use_teacher = way.use_teacher;
      seven.guidance_scale = 2;
      QVERIFY((*generator)->check(seven).ok());
      std::vector<base::Image8> together;
      (*generator)->make(seven, [&](int index, const base::Image8& image) {
        QCOMPARE(index, static_cast<int>(together.size()));
        together.push_back(image);
      });
      QCOMPARE(together.size(), std::size_t(7));
      QVERIFY(together[0] != together[3]);  // the same class, another noise
      for (int k = 0; k < 7; ++k) {
        auto one = seven;
        one.labels = {seven.labels[k]};
        one.noise_indices = {seven.noise_indices[k]};
        (*generator)->make(one, [&](int, const base::Image8& image) {
          QCOMPARE(image.pixels.size(), together[k].pixels.size());
          for (std::size_t i = 0; i < image.pixels.size(); ++i)
            QVERIFY(std::abs(int(image.pixels[i]) - int(together[k].pixels[i])) <= 1);
        });
      }
    }
  }

  void anInterpolationEndsAtBothEndsAndLeavesTheNetworkAsItWas() {
    auto generator = training::Generator::open(folder("whole"), torch::kCPU).value();
    for (const bool use_teacher : {false, true}) {
      const auto made = [&](std::vector<std::int64_t> labels, std::uint64_t seed, std::vector<base::SampleBlend> blends,
                            double noise_scale = 1) {
        base::SampleRequest request;
        request.labels = std::move(labels);
        request.noise_indices.assign(request.labels.size(), 1);
        request.seed = seed;
        request.blends = std::move(blends);
        request.noise_scale = noise_scale;
        request.nfe = 2;
        request.use_teacher = use_teacher;
        request.guidance_scale = 2;
        const auto checked = generator->check(request);
        if (!checked) throw std::runtime_error(checked.error().message);
        std::vector<base::Image8> images;
        generator->make(request, [&](int, const base::Image8& image) { images.push_back(image); });
        return images;
      };
      const auto nearly = [](const base::Image8& a, const base::Image8& b) {
        for (std::size_t i = 0; i < a.pixels.size(); ++i)
          if (std::abs(int(a.pixels[i]) - int(b.pixels[i])) > 1) return false;
        return true;
      };
      const auto from = made({0}, 11, {})[0], to = made({2}, 9, {})[0];
      const auto way = made({0, 0, 0}, 11, {{0, 9, 1, 2}, {0.5, 9, 1, 2}, {1, 9, 1, 2}});
      QVERIFY(nearly(way[0], from));
      QVERIFY(nearly(way[2], to));
      QVERIFY(!nearly(way[1], from) && !nearly(way[1], to));
      // Between classes alone, and between seeds alone, the middle is another one.
      const auto classes = made({0}, 11, {{0.5, 11, 1, 2}})[0], seeds = made({0}, 11, {{0.5, 9, 1, -1}})[0];
      QVERIFY(classes != seeds);
      QVERIFY(!nearly(classes, way[1]));
      QVERIFY(nearly(made({0}, 11, {})[0], from));
      QVERIFY(!nearly(made({0}, 11, {}, 0.4)[0], from));
      QVERIFY(nearly(made({0}, 11, {}, 0)[0], made({0}, 12, {}, 0)[0]));  // nothing of the noise is left
      QVERIFY_THROWS_EXCEPTION(std::runtime_error, made({0}, 11, {}, 1.5));
      QVERIFY_THROWS_EXCEPTION(std::runtime_error, made({0}, 11, {{2, 9, 1, 2}}));
      QVERIFY_THROWS_EXCEPTION(std::runtime_error, made({0}, 11, {{0.5, 9, 1, 99}}));
      QVERIFY_THROWS_EXCEPTION(std::runtime_error, made({0, 1}, 11, {{0.5, 9, 1, 2}}));
    }
  }

  void aClassHalfWayHasTheMeanOfBothEmbeddings() {
    auto network = training::makeTeacher(base::loadConfig(folder("whole") + "/config.yaml").value(), 3);
    const auto rows = training::numLabelRows(network);
    base::SampleRequest request;
    request.labels = {0, 1, 2, 0};
    request.blends = {{0.5, 0, 0, 2}, {0, 0, 0, 2}, {0.5, 0, 0, 2}, {1, 0, 0, 1}};
    const auto mixed = training::mixedLabels(request, rows);
    QCOMPARE(mixed.labels, (std::vector<std::int64_t>{rows, 1, 2, 1}));  // ends, and a class on its way to itself
    QCOMPARE(mixed.rows.size(), std::size_t(1));
    const auto& table = network->y_embedder->embedding_table->weight;
    const auto before = table.clone();
    {
      const training::ExtendedLabelTable extended(network, mixed.rows);
      QCOMPARE(table.size(0), rows + 1);
      QVERIFY(torch::allclose(table[rows], 0.5 * (before[0] + before[2])));
      QVERIFY(torch::equal(network->y_embedder(torch::tensor({1})), before.narrow(0, 1, 1)));
    }
    QVERIFY(torch::equal(table, before));
  }

  void theSolverOfTheRequestIsTheOneThatRuns() {
    auto generator = training::Generator::open(folder("whole"), torch::kCPU);
    const auto made = [&](std::optional<base::SamplingConfig> solver, std::uint64_t seed) {
      base::SampleRequest request;
      request.labels = {1};
      request.noise_indices = {5};
      request.seed = seed;
      request.nfe = 3;
      request.use_teacher = true;
      request.solver = std::move(solver);
      base::Image8 image;
      (*generator)->make(request, [&](int, const base::Image8& i) { image = i; });
      return image;
    };
    base::SamplingConfig heun, sde;
    heun.method = "heun2";
    sde.mode = "sde";
    const auto plain = made({}, 1);
    QVERIFY(plain == made(base::SamplingConfig{}, 1));  // the run's configuration has the defaults
    QVERIFY(plain != made(heun, 1));
    QVERIFY(plain != made(sde, 1));
    QVERIFY(made(sde, 1) == made(sde, 1));
  }

  void autoGuidanceStepsAwayFromAWeakerNetwork() {
    auto generator = training::Generator::open(folder("whole"), torch::kCPU);
    base::SampleRequest request;
    request.labels = {1};
    request.noise_indices = {5};
    request.nfe = 3;
    request.use_teacher = true;
    request.solver = base::SamplingConfig{};
    request.solver->guidance.method = "autoguidance";
    request.solver->guidance.model = (*generator)->config().teacher.model;
    const auto made = [&](double scale) {
      request.guidance_scale = scale;
      base::Image8 image;
      (*generator)->make(request, [&](int, const base::Image8& i) { image = i; });
      return image;
    };
    request.guidance_scale = 2;
    QVERIFY((*generator)->check(request).error().message.find("sampling.guidance.weights") != std::string::npos);
    // An earlier checkpoint of the same teacher is the weaker one; against itself, guidance changes nothing.
    const auto checkpoints = base::RunFolder::open(folder("whole"))->listCheckpoints("teacher");
    QVERIFY(checkpoints.size() > 1);
    request.solver->guidance.weights = checkpoints.front().path.string();
    QVERIFY((*generator)->check(request).ok());
    const auto plain = made(1), guided = made(3);
    QVERIFY(plain != guided);
    request.solver->guidance.weights = checkpoints.back().path.string();
    const auto against_itself = made(3);
    for (std::size_t i = 0; i < plain.pixels.size(); ++i)
      QVERIFY(std::abs(int(plain.pixels[i]) - int(against_itself.pixels[i])) <= 1);
    request.solver->guidance.weights = folder("whole") + "/decoder/latent_statistics.safetensors";
    try {
      made(3);
      QFAIL("latent statistics guided a teacher");
    } catch (const std::runtime_error& error) {
      QVERIFY2(std::strstr(error.what(), "sampling.guidance.weights"), error.what());
    }
  }

  void aCancelledRequestStopsBetweenBatches() {
    auto generator = training::Generator::open(folder("whole"), torch::kCPU);
    base::SampleRequest many;
    for (int k = 0; k < 60; ++k) many.labels.push_back(k % 3), many.noise_indices.push_back(k);
    int num_made = 0;
    (*generator)
        ->make(
            many, [&](int, const base::Image8&) { ++num_made; }, [&] { return num_made > 0; });
    QVERIFY(num_made > 0 && num_made < 60);
  }

  void aRequestThatCannotBeMetSaysWhatCan() {
    auto generator = training::Generator::open(folder("whole"), torch::kCPU);
    base::SampleRequest request;
    request.labels = {3};
    request.noise_indices = {0};
    QCOMPARE((*generator)->check(request).error().message,
             std::string("class 3 is out of range; this run knows 3 classes: 0 across, 1 disc, 2 down"));
    QCOMPARE((*generator)->check(request).error().kind, base::ErrorKind::kUsage);
    request.labels = {0};
    request.nfe = 0;
    QVERIFY((*generator)->check(request).error().message.find("nfe 0 is out of range") == 0);
    request.nfe = 1;
    request.use_teacher = true;
    request.solver = base::SamplingConfig{};
    request.solver->mode = "sde";
    request.solver->method = "rk4";
    QCOMPARE((*generator)->check(request).error().message,
             std::string("sampling.mode sde: unknown SDE method 'rk4'; use euler or heun"));
    request.use_teacher = false;
    request.checkpoint = "mean_flow/checkpoints/step_00000001";
    try {
      (*generator)->make(request, [](int, const base::Image8&) {});
      QFAIL("a checkpoint that does not exist was used");
    } catch (const std::runtime_error& error) {
      QVERIFY2(std::strstr(error.what(), "stage mean_flow has no checkpoint at step 1; there are 3, 6"), error.what());
    }
  }

  void aRunWithoutAStudentSaysSo() {
    fs::copy(folder("whole"), folder("no_student"), fs::copy_options::recursive);
    for (const char* stage : {"cmt", "mean_flow"}) fs::remove_all(fs::path(folder("no_student")) / stage);
    auto generator = training::Generator::open(folder("no_student"), torch::kCPU);
    QVERIFY(generator.ok());
    base::SampleRequest request;
    request.labels = {0};
    request.noise_indices = {0};
    try {
      (*generator)->make(request, [](int, const base::Image8&) {});
      QFAIL("images of a student that does not exist");
    } catch (const std::runtime_error& error) {
      QVERIFY2(std::strstr(error.what(), "has no trained student yet"), error.what());
    }
    request.use_teacher = true;
    int num_made = 0;
    (*generator)->make(request, [&](int, const base::Image8&) { ++num_made; });
    QCOMPARE(num_made, 1);
    fs::remove_all(fs::path(folder("no_student")) / "decoder");
    const auto no_decoder = training::Generator::open(folder("no_student"), torch::kCPU);
    QVERIFY(!no_decoder.ok() && no_decoder.error().message.find("no trained decoder yet") != std::string::npos);
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
