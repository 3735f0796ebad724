// SPDX-License-Identifier: Apache-2.0
//
// What a person asks of a stage in training: pause, other settings, more steps, a checkpoint, an end.

#include <QTemporaryDir>
#include <map>
#include <thread>

#include "core/device/device.h"
#include "tests/support/studio_test.h"
#include "tests/training/loop/line_stage.h"
#include "training/loop/checkpoint_store.h"

using namespace meanflow;
using namespace meanflow::testing::line;
using testing::after;
namespace fs = std::filesystem;

class TestStageControl : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void init() {
    core::initialiseTorch();
    temporary_ = std::make_unique<QTemporaryDir>();
  }

  void aPauseHoldsBetweenStepsUntilResumed_data() { forOneAndTwoWorkers(); }
  void aPauseHoldsBetweenStepsUntilResumed() {
    QFETCH(const int, num_workers);
    Setup setup;
    setup.num_workers = num_workers;
    const auto whole = train(run("whole"), setup);
    std::thread person;
    setup.answer = [&](const base::TrainingEvent& event, training::CommandQueue& commands) {
      after(5, base::Pause{})(event, commands);
      const auto* state = std::get_if<base::StateChanged>(&event);
      if (state && state->state == base::RunState::kPaused)
        person = std::thread([&commands] {
          std::this_thread::sleep_for(
              std::chrono::milliseconds(500));  // longer than a paused run waits for one command
          commands.push(base::Resume{});
        });
      if (state && state->state == base::RunState::kRunning && person.joinable()) person.join();
    };
    const auto outcome = train(run("a"), setup);
    QVERIFY2(outcome.failure.empty(), outcome.failure.c_str());
    QCOMPARE(outcome.count(base::RunState::kPausing), 1);
    QCOMPARE(outcome.count(base::RunState::kPaused), 1);
    QCOMPARE(stepsWhilePaused(outcome), 0);
    QCOMPARE(stepsBeforePause(outcome), 6);
    QCOMPARE(outcome.losses.size(), std::size_t(kSteps));
    QVERIFY(torch::equal(outcome.weight, whole.weight));
  }

  void aPauseAskedForBeforeTheFirstStepHoldsBeforeIt() {
    Setup setup;
    setup.waiting = {base::Pause{}};
    setup.answer = [&](const base::TrainingEvent& event, training::CommandQueue& commands) {
      const auto* state = std::get_if<base::StateChanged>(&event);
      if (state && state->state == base::RunState::kPaused) commands.push(base::Resume{});
    };
    const auto outcome = train(run("a"), setup);
    QCOMPARE(outcome.count(base::RunState::kPaused), 1);
    QCOMPARE(stepsBeforePause(outcome), 0);
    QCOMPARE(outcome.losses.size(), std::size_t(kSteps));
  }

  void aPausedRunCanBeSavedAndStopped() {
    Setup setup;
    setup.answer = [&](const base::TrainingEvent& event, training::CommandQueue& commands) {
      after(5, base::Pause{})(event, commands);
      const auto* state = std::get_if<base::StateChanged>(&event);
      if (state && state->state == base::RunState::kPaused)
        commands.push(base::SaveNow{}), commands.push(base::StopAndSave{});
    };
    const auto outcome = train(run("a"), setup);
    QVERIFY(outcome.is_interrupted && outcome.is_saved);
    QCOMPARE(outcome.count(base::RunState::kStopping), 1);
    QCOMPARE(checkpointSteps(run("a")), (std::vector<std::int64_t>{5, 6}));
  }

  void aChangedRateTakesEffectIsPublishedAndKept_data() { forOneAndTwoWorkers(); }
  void aChangedRateTakesEffectIsPublishedAndKept() {
    QFETCH(const int, num_workers);
    Setup setup;
    setup.num_workers = num_workers;
    setup.training.schedule = "constant";
    setup.training.warmup_steps = 0;
    setup.answer = after(7, base::ChangeSetting{"teacher.training.lr", "0.025"});
    const auto outcome = train(run("a"), setup);
    QVERIFY2(outcome.failure.empty(), outcome.failure.c_str());
    for (const auto& [step, rate] : outcome.rates) QCOMPARE(rate, step <= 8 ? 0.1 : 0.025);
    int num_changes = 0;
    for (const auto& event : outcome.events)
      if (const auto* change = std::get_if<base::SettingChanged>(&event)) {
        ++num_changes;
        QCOMPARE(change->step, std::int64_t(8));
        QCOMPARE(change->key, std::string("teacher.training.lr"));
        QCOMPARE(std::stod(change->old_value), 0.1);
        QCOMPARE(std::stod(change->new_value), 0.025);
      }
    QCOMPARE(num_changes, 1);
    QCOMPARE(base::RunFolder::open(run("a"))->readConfig()->teacher.training.lr, 0.025);
  }

  void moreStepsAskedForWhilePausedAreTrained() {
    Setup setup;
    setup.answer = [&](const base::TrainingEvent& event, training::CommandQueue& commands) {
      after(5, base::Pause{})(event, commands);
      const auto* state = std::get_if<base::StateChanged>(&event);
      if (state && state->state == base::RunState::kPaused)
        commands.push(base::ChangeSetting{"teacher.training.steps", "23"}), commands.push(base::Resume{});
    };
    const auto outcome = train(run("a"), setup);
    QCOMPARE(outcome.losses.rbegin()->first, std::int64_t(23));
    const auto folder = base::RunFolder::open(run("a"));
    const auto progress = training::CheckpointStore(*folder, "teacher").newestProgress();
    QVERIFY(progress && progress->step == 23 && progress->total_steps == 23);
  }

  void aSettingThatCannotChangeIsRefusedAndTrainingGoesOn_data() {
    QTest::addColumn<QString>("key");
    QTest::addColumn<QString>("value");
    QTest::addColumn<QString>("in_message");
    QTest::newRow("unknown") << "teacher.training.learning_rate"
                             << "1"
                             << "learning_rate";
    QTest::newRow("not a number") << "teacher.training.lr"
                                  << "fast"
                                  << "lr";
    QTest::newRow("built into the network") << "teacher.model.depth"
                                            << "[1, 1]"
                                            << "teacher.model.depth cannot change";
    // Samplers are built for the batch size, the optimiser with its decays.
    QTest::newRow("batch size") << "teacher.training.batch_size"
                                << "16"
                                << "teacher.training.batch_size cannot change";
    QTest::newRow("optimiser") << "teacher.training.beta2"
                               << "0.9"
                               << "teacher.training.beta2 cannot change";
  }
  void aSettingThatCannotChangeIsRefusedAndTrainingGoesOn() {
    QFETCH(const QString, key);
    QFETCH(const QString, value);
    QFETCH(const QString, in_message);
    const auto whole = train(run("whole"), {});
    Setup setup;
    setup.answer = after(7, base::ChangeSetting{key.toStdString(), value.toStdString()});
    const auto outcome = train(run("a"), setup);
    QVERIFY2(outcome.failure.empty(), outcome.failure.c_str());
    QVERIFY2(outcome.hasMessage("error", in_message.toStdString()),
             outcome.messages.empty() ? "no message" : outcome.messages[0].c_str());
    for (const auto& event : outcome.events) QVERIFY(!std::holds_alternative<base::SettingChanged>(event));
    QVERIFY(torch::equal(outcome.weight, whole.weight));
  }

  void aCheckpointAskedForIsWrittenAndTrainingGoesOn() {
    Setup setup;
    setup.answer = after(6, base::SaveNow{});
    const auto outcome = train(run("a"), setup);
    QCOMPARE(checkpointSteps(run("a")), (std::vector<std::int64_t>{5, 7, 10, 15, 20}));
    QCOMPARE(outcome.losses.size(), std::size_t(kSteps));
  }

  void discardingLeavesTheDiskAsItWas() {
    Setup setup;
    std::map<std::string, std::string> before;
    setup.answer = [&](const base::TrainingEvent& event, training::CommandQueue& commands) {
      after(7, base::Discard{})(event, commands);
      const auto* step = std::get_if<base::StepCompleted>(&event);
      if (step && step->step == 7) before = filesIn(run("a"));
    };
    const auto outcome = train(run("a"), setup);
    QVERIFY(outcome.is_interrupted && !outcome.is_saved);
    QVERIFY(!before.empty());
    QCOMPARE(filesIn(run("a")), before);
    QCOMPARE(checkpointSteps(run("a")), (std::vector<std::int64_t>{5}));
  }

 private:
  fs::path run(const std::string& name) const { return fs::path(temporary_->path().toStdString()) / name; }

  static int stepsBeforePause(const Outcome& outcome) {
    int n = 0;
    for (const auto& event : outcome.events) {
      const auto* state = std::get_if<base::StateChanged>(&event);
      if (state && state->state == base::RunState::kPaused) return n;
      if (std::holds_alternative<base::StepCompleted>(event)) ++n;
    }
    return -1;
  }
  static int stepsWhilePaused(const Outcome& outcome) {
    int n = 0;
    bool is_paused = false;
    for (const auto& event : outcome.events) {
      if (const auto* state = std::get_if<base::StateChanged>(&event))
        is_paused = state->state == base::RunState::kPaused;
      if (is_paused && std::holds_alternative<base::StepCompleted>(event)) ++n;
    }
    return n;
  }

  std::unique_ptr<QTemporaryDir> temporary_;
};
STUDIO_TEST(TestStageControl)
#include "tst_stage_control.moc"
