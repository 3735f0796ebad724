// SPDX-License-Identifier: Apache-2.0
//
// Runs that leave another at a checkpoint or between two, with other settings from there on.
#include "training/run/branch.h"

#include <QTemporaryDir>
#include <filesystem>
#include <map>
#include <stop_token>

#include "core/base/run/atomic_file.h"
#include "core/device/device.h"
#include "tests/support/kept_events.h"
#include "tests/support/studio_test.h"
#include "tests/training/run/tiny_preset.h"
#include "training/diagnostics/replay.h"
#include "training/run/training_run.h"

using namespace meanflow;
namespace fs = std::filesystem;

namespace {

struct Worked {
  std::string failure;
  training::RunEnd end = training::RunEnd::kFinished;
  std::shared_ptr<testing::KeptEvents> kept = std::make_shared<testing::KeptEvents>();
};

/// Stops after `stop_step` of `stop_stage` where one is named.
Worked work(const base::RunRequest& request, const std::string& stop_stage = {}, std::int64_t stop_step = 0) {
  Worked worked;
  auto run = training::TrainingRun::prepare(request, {worked.kept});
  if (!run) {
    worked.failure = run.error().message;
    return worked;
  }
  worked.kept->answer = [&](const base::TrainingEvent& event) {
    const auto* step = std::get_if<base::StepCompleted>(&event);
    if (step && step->stage == stop_stage && step->step == stop_step) (*run)->send(base::StopAndSave{});
  };
  const auto end = (*run)->run();
  worked.kept->answer = {};
  if (end)
    worked.end = *end;
  else
    worked.failure = end.error().message;
  return worked;
}

std::map<std::string, std::string> contents(const fs::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) files[fs::relative(entry.path(), folder)] = base::readFile(entry.path()).value();
  return files;
}

std::map<std::int64_t, double> losses(const Worked& worked, const std::string& stage) {
  std::map<std::int64_t, double> found;
  for (const auto& step : worked.kept->all<base::StepCompleted>())
    for (const auto& scalar : step.scalars)
      if (step.stage == stage && scalar.name == "loss") found[step.step] = scalar.value;
  return found;
}

}  // namespace

class TestBranch : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase() {
    core::initialiseTorch();
    preset_ = testing::writeTinyPreset(root());
    base::RunRequest request;
    request.run_folder = folder("parent"), request.config = preset_;
    request.overrides = {"stages=[encoder, decoder, teacher, cmt, mean_flow]"};
    parent_ = work(request);
    QVERIFY2(parent_.failure.empty(), parent_.failure.c_str());
  }

  void aBranchThatChangesNothingIsItsParent() {
    const auto before = contents(folder("parent"));
    // Checkpoints of cmt: 3 and 6. Step 5 is reached from 3 by training on.
    const auto branch = work(requestFor("same", {folder("parent"), "cmt", 5}));
    QVERIFY2(branch.failure.empty(), branch.failure.c_str());
    const auto branched = branch.kept->all<base::RunBranched>();
    QCOMPARE(branched.size(), std::size_t(1));
    QVERIFY(std::holds_alternative<base::RunBranched>(branch.kept->events.at(1)));  // after "starting"
    QCOMPARE(branched[0].parent, folder("parent"));
    QCOMPARE(branched[0].stage, std::string("cmt"));
    QCOMPARE(branched[0].step, std::int64_t(5));
    QVERIFY(branched[0].changes.empty());
    for (const char* stage : {"cmt", "mean_flow"}) {
      const auto expected = losses(parent_, stage);
      const auto seen = losses(branch, stage);
      QCOMPARE(seen.begin()->first, std::string(stage) == "cmt" ? std::int64_t(4) : std::int64_t(1));
      for (const auto& [step, loss] : seen) QCOMPARE(loss, expected.at(step));
      for (const char* file : {"model.safetensors", "ema.safetensors", "optimizer.safetensors"})
        QVERIFY2(weights("same", stage, file) == weights("parent", stage, file), file);
    }
    QVERIFY(losses(branch, "teacher").empty());
    QCOMPARE(contents(folder("parent")), before);
  }

  void settingsChangeAtTheForkAndNotBefore() {
    auto request = requestFor("changed", {folder("parent"), "cmt", 5});
    request.overrides = {"cmt.training.lr=5e-2", "mean_flow.delta_t=0.01"};
    const auto branch = work(request);
    QVERIFY2(branch.failure.empty(), branch.failure.c_str());
    const auto changes = branch.kept->all<base::RunBranched>().at(0).changes;
    QCOMPARE(changes.size(), std::size_t(2));
    QVERIFY2(changes[0].find("cmt.training.lr: ") == 0 && changes[0].find(" -> ") != std::string::npos,
             changes[0].c_str());
    const auto expected = losses(parent_, "cmt"), seen = losses(branch, "cmt");
    QCOMPARE(seen.at(4), expected.at(4));
    QCOMPARE(seen.at(5), expected.at(5));
    QCOMPARE(seen.at(6), expected.at(6));  // of the weights that the rate has not yet moved
    QVERIFY(losses(branch, "mean_flow").at(1) != losses(parent_, "mean_flow").at(1));
    QCOMPARE(base::RunFolder::open(folder("changed"))->readConfig()->mean_flow.delta_t, 0.01);
  }

  void samplesThatAreSkippedAreNotDrawn() {
    auto request = requestFor("skipping", {folder("parent"), "mean_flow", 0});
    request.overrides = {"data.skip_samples=[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19]"};
    const auto branch = work(request);
    QVERIFY2(branch.failure.empty(), branch.failure.c_str());
    QVERIFY(losses(branch, "mean_flow").at(1) != losses(parent_, "mean_flow").at(1));
  }

  void aBranchThatIsStoppedOnItsParentsWayGoesOnFromThere() {
    const base::BranchPoint point{folder("parent"), "cmt", 5};
    auto request = requestFor("stopped", point);
    request.overrides = {"cmt.training.lr=5e-2"};
    const auto begun = work(request, "cmt", 4);
    QVERIFY2(begun.failure.empty() && begun.end == training::RunEnd::kStopped, begun.failure.c_str());
    const auto again = goOn("stopped");
    QVERIFY2(again.failure.empty(), again.failure.c_str());
    QVERIFY(again.kept->all<base::RunBranched>().empty());
    request = requestFor("unstopped", point);
    request.overrides = {"cmt.training.lr=5e-2"};
    QVERIFY(work(request).failure.empty());
    QVERIFY(weights("stopped", "mean_flow", "ema.safetensors") == weights("unstopped", "mean_flow", "ema.safetensors"));
  }

  void whatCannotBeBranchedFromIsRefusedWithTheReason_data() {
    QTest::addColumn<QString>("stage");
    QTest::addColumn<int>("step");
    QTest::addColumn<QString>("setting");
    QTest::addColumn<QString>("part");
    QTest::newRow("stage") << "students" << 1 << ""
                           << "has no stage students";
    QTest::newRow("step") << "cmt" << 7 << ""
                          << "has steps 0 to 6";
    QTest::newRow("negative step") << "cmt" << -1 << ""
                                   << "has steps 0 to 6";
    QTest::newRow("setting") << "cmt" << 3 << "cmt.training.lrr=1"
                             << "cmt.training.lr";
  }
  void whatCannotBeBranchedFromIsRefusedWithTheReason() {
    QFETCH(const QString, stage);
    QFETCH(const int, step);
    QFETCH(const QString, setting);
    QFETCH(const QString, part);
    auto request = requestFor("refused", {folder("parent"), stage.toStdString(), step});
    if (!setting.isEmpty()) request.overrides = {setting.toStdString()};
    const auto branch = work(request);
    QVERIFY2(QString::fromStdString(branch.failure).contains(part), branch.failure.c_str());
    QVERIFY(!fs::exists(folder("refused")));
  }

  void aFolderThatHoldsSomethingIsRefused() {
    const auto branch = work(requestFor("parent", {folder("parent"), "cmt", 3}));
    QVERIFY2(branch.failure.find("already holds a run") != std::string::npos, branch.failure.c_str());
  }

  void aSoundStepIsFoundSoundInEveryStage() {
    for (const char* stage : {"teacher", "cmt", "mean_flow"}) {
      const auto found = training::replayStep({folder("parent"), stage, 5});
      QVERIFY2(found.ok(), found.ok() ? "" : found.error().message.c_str());
      QVERIFY2(found->origin.tensor.empty() && found->origin.operation.empty(), found->text.c_str());
      const auto report = base::readFile(fs::path(found->report) / "report.md").value();
      QVERIFY2(report.starts_with("# Looked into at step 5 of " + std::string(stage) + ", run parent\n"),
               report.substr(0, 200).c_str());
      fs::remove_all(fs::path(found->report));
    }
  }

  void aReplayGivesTheRecordedLossesToTheBit() {
    const auto before = contents(folder("parent"));
    const auto found = training::replayStep({folder("parent"), "cmt", 6});
    QVERIFY2(found.ok(), found.ok() ? "" : found.error().message.c_str());
    QCOMPARE(found->stage, std::string("cmt"));
    QCOMPARE(found->step, std::int64_t(6));
    QCOMPARE(found->replay_error, 0.0);
    QCOMPARE(found->kind, std::string("none"));
    QVERIFY2(fs::exists(fs::path(found->report) / "report.md"), found->report.c_str());
    QVERIFY2(found->origin.tensor.empty() && found->origin.operation.empty(), found->text.c_str());  // it is sound
    auto after = contents(folder("parent"));
    std::erase_if(after,
                  [](const auto& file) { return file.first.starts_with("cmt/diagnostics/step_00000006_replay"); });
    QCOMPARE(after, before);
    for (const auto& entry : fs::directory_iterator(root()))
      QVERIFY2(!entry.path().filename().string().starts_with(".replay"), entry.path().c_str());
    QVERIFY(!training::replayStep({folder("parent"), "cmt", 0}).ok());
    QVERIFY(!training::replayStep({folder("parent"), "cmt", 70}).ok());
  }

  void aReplayIsStoppedWhileItsDataAreLoaded() {
    std::stop_source stop;
    Worked worked;
    worked.kept->answer = [&](const base::TrainingEvent& event) {
      if (const auto* now = std::get_if<base::Progress>(&event); now && now->done == 0) stop.request_stop();
    };
    auto run = training::TrainingRun::prepare(requestFor("loading", {folder("parent"), "cmt", 4}), {worked.kept});
    QVERIFY2(run.ok(), run ? "" : run.error().message.c_str());
    const auto ended = (*run)->replay(stop.get_token());
    QVERIFY(!ended.ok());
    QCOMPARE(ended.error().message, std::string("the replay was stopped"));
    QVERIFY(worked.kept->all<base::RunStarted>().empty());  // which is said once the data are there
    QVERIFY(worked.kept->all<base::StepCompleted>().empty());
    QVERIFY(worked.kept->all<base::DiagnosisReady>().empty());
  }

  void aReplayThatWasStoppedLeavesNothing() {
    const auto before = contents(root());
    std::stop_source stop;
    stop.request_stop();
    const auto found = training::replayStep({folder("parent"), "cmt", 5}, stop.get_token());
    QVERIFY(!found.ok());
    QCOMPARE(found.error().message, std::string("the replay was stopped"));
    QCOMPARE(contents(root()), before);
  }

  void aDamagedBranchFileIsNamed() {
    auto request = requestFor("damaged", {folder("parent"), "cmt", 3});
    QVERIFY(training::createBranch(folder("damaged"), *request.branch, {}).ok());
    QVERIFY(base::writeFileAtomically(fs::path(folder("damaged")) / "branch.json", "{\"parent\": 3").ok());
    const auto again = goOn("damaged");
    QVERIFY2(again.failure.find("branch.json is damaged") != std::string::npos, again.failure.c_str());
  }

 private:
  fs::path root() const { return temporary_.path().toStdString(); }
  std::string folder(const std::string& name) const { return (root() / name).string(); }
  base::RunRequest requestFor(const std::string& name, const base::BranchPoint& point) const {
    base::RunRequest request;
    request.run_folder = folder(name);
    request.branch = point;
    return request;
  }
  Worked goOn(const std::string& name) const {
    base::RunRequest request;
    request.run_folder = folder(name);
    return work(request);
  }
  std::string weights(const std::string& run, const std::string& stage, const char* file) const {
    return base::readFile(base::RunFolder::open(folder(run))->checkpoint(stage, 6) / file).value();
  }

  QTemporaryDir temporary_;
  std::string preset_;
  Worked parent_;
};

STUDIO_TEST(TestBranch)
#include "tst_branch.moc"
