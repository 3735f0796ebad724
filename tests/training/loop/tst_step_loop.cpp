// SPDX-License-Identifier: Apache-2.0
//
// The loop around a stage, on a stage small enough to check in the head: linear regression on made-up rows.
#include "training/loop/step_loop.h"

#include <torch/torch.h>
#include <QTemporaryDir>
#include <filesystem>
#include <limits>
#include <map>
#include <thread>

#include "core/base/config/config_io.h"
#include "core/base/run/atomic_file.h"
#include "core/device/device.h"
#include "tests/support/kept_events.h"
#include "tests/support/studio_test.h"
#include "training/loop/checkpoint_store.h"
#include "training/optim/lr_schedule.h"

using namespace meanflow;
namespace fs = std::filesystem;

namespace {

constexpr std::int64_t kSteps = 20;

/// y = w x + b; the row at a position of a step follows from both numbers alone.
class LineTask final : public training::StageTask {
 public:
  /// From step `poisoned_step` on (0-based) `poison` times the bias is added to the loss.
  LineTask(const base::TrainingConfig& settings, std::int64_t poisoned_step, double poison)
      : settings_(settings), poisoned_step_(poisoned_step), poison_(poison) {
    const torch::NoGradGuard no_grad;
    line_->weight.fill_(0.1);
    line_->bias.fill_(-0.2);
  }

  std::string name() const override { return "teacher"; }
  const base::TrainingConfig& settings() const override { return settings_; }
  std::shared_ptr<torch::nn::Module> module() override { return line_.ptr(); }

  core::LossTerms loss(std::int64_t step, std::span<const std::int64_t> positions) override {
    std::vector<torch::Tensor> rows;
    for (const auto position : positions)
      rows.push_back(
          torch::sin(torch::arange(4) * 2.1 + static_cast<double>(step) * 1.3 + static_cast<double>(position) * 0.7));
    const auto x = torch::stack(rows);
    const auto y = x.matmul(torch::tensor({0.5f, -1.0f, 0.25f, 2.0f})) + 0.3;
    core::LossTerms terms;
    terms.loss = (line_(x).squeeze(1) - y).square().mean();
    terms.scalars.emplace_back("mse", terms.loss.detach());
    if (poisoned_step_ >= 0 && step >= poisoned_step_) terms.loss = terms.loss + poison_ * line_->bias.sum();
    return terms;
  }

  training::BatchMembers members(std::int64_t step, std::span<const std::int64_t> positions) override {
    training::BatchMembers members;
    for (const auto position : positions) members.samples.push_back(100 * step + position);
    members.labels.resize(members.samples.size());
    return members;
  }

 private:
  const base::TrainingConfig& settings_;
  std::int64_t poisoned_step_;
  double poison_;
  torch::nn::Linear line_{4, 1};
};

struct Setup {
  int num_workers = 1;
  base::TrainingConfig training;
  std::int64_t poisoned_step = -1;
  double poison = std::numeric_limits<double>::quiet_NaN();
  double start_of_others = 0;          ///< Added to the first weights of every rank but the leader.
  std::vector<base::Command> waiting;  ///< Sent before the stage begins.
  /// What a person does on an event: called on the training thread.
  std::function<void(const base::TrainingEvent&, training::CommandQueue&)> answer;

  Setup() {
    training.steps = kSteps;
    training.batch_size = 8;
    training.lr = 0.1;
    training.final_lr = 0.01;
    training.warmup_steps = 3;
    training.ema_decay = 0.9;
    training.log_every = 1;
    training.checkpoint_every = 5;
    training.keep_checkpoints = 0;
    training.sample_every = 0;
  }
};

struct Outcome {
  std::vector<base::TrainingEvent> events;
  std::map<std::int64_t, double> losses, rates;  ///< By optimizer steps done.
  std::vector<std::string> messages;             ///< Log messages, "level: text".
  torch::Tensor weight, bias;
  bool is_interrupted = false, is_saved = false, is_diverged = false;
  std::string failure;

  int count(base::RunState state) const {
    int n = 0;
    for (const auto& event : events)
      if (const auto* e = std::get_if<base::StateChanged>(&event); e && e->state == state) ++n;
    return n;
  }
  bool hasMessage(const std::string& level, const std::string& part) const {
    for (const auto& text : messages)
      if (text.starts_with(level) && text.find(part) != std::string::npos) return true;
    return false;
  }
};

/// One process's work on the run at `root`: everything is built anew, as after a restart.
Outcome train(const fs::path& root, const Setup& setup) {
  base::RunConfig config;
  config.teacher.training = setup.training;
  auto folder =
      base::RunFolder::isRunFolder(root) ? base::RunFolder::open(root) : base::RunFolder::create(root, config);
  folder->lock().value();
  training::CommandQueue commands;
  for (const auto& command : setup.waiting) commands.push(command);
  const auto listener = std::make_shared<testing::KeptEvents>();
  listener->answer = [&](const base::TrainingEvent& event) {
    if (setup.answer) setup.answer(event, commands);
  };
  base::FanOutSink events;
  events.add("test", listener);
  training::RunContext context(*folder, events, commands);
  context.setState(base::RunState::kStarting);
  context.setState(base::RunState::kRunning);

  Outcome outcome;
  try {
    training::runWorkers(setup.num_workers, torch::kCPU, [&](training::Worker& worker) {
      base::RunConfig own = config;
      LineTask task(own.teacher.training, setup.poisoned_step, setup.poison);
      if (!worker.isLeader()) {
        const torch::NoGradGuard no_grad;
        for (auto& parameter : task.module()->parameters()) parameter.add_(setup.start_of_others);
      }
      const auto keepWeights = [&] {
        if (!worker.isLeader()) return;
        outcome.weight = task.module()->named_parameters()["weight"].detach().clone();
        outcome.bias = task.module()->named_parameters()["bias"].detach().clone();
      };
      try {
        training::runStage(task, own, worker, context);
      } catch (...) {
        keepWeights();
        throw;
      }
      keepWeights();
    });
  } catch (const training::RunInterrupted& interrupted) {
    outcome.is_interrupted = true;
    outcome.is_saved = interrupted.is_saved;
  } catch (const training::Diverged& diverged) {
    outcome.is_diverged = true;
    outcome.failure = diverged.what();
  } catch (const std::exception& error) {
    outcome.failure = error.what();
  }
  outcome.events = listener->events;
  for (const auto& event : outcome.events) {
    if (const auto* step = std::get_if<base::StepCompleted>(&event))
      for (const auto& scalar : step->scalars) {
        if (scalar.name == "loss") outcome.losses[step->step] = scalar.value;
        if (scalar.name == "lr") outcome.rates[step->step] = scalar.value;
      }
    if (const auto* message = std::get_if<base::LogMessage>(&event))
      outcome.messages.push_back(message->level + ": " + message->text);
  }
  return outcome;
}

/// Answers the report of step `step` with `command`; it is then taken at the end of the step after it.
auto after(std::int64_t step, base::Command command) {
  return [step, command](const base::TrainingEvent& event, training::CommandQueue& commands) {
    const auto* done = std::get_if<base::StepCompleted>(&event);
    if (done && done->step == step) commands.push(command);
  };
}

std::map<std::string, std::string> filesIn(const fs::path& folder) {
  std::map<std::string, std::string> files;
  if (!fs::exists(folder)) return files;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) files[fs::relative(entry.path(), folder)] = base::readFile(entry.path()).value();
  return files;
}

std::vector<std::int64_t> checkpointSteps(const fs::path& root) {
  std::vector<std::int64_t> steps;
  const auto folder = base::RunFolder::open(root);
  for (const auto& entry : folder->listCheckpoints("teacher")) steps.push_back(entry.step);
  return steps;
}

/// Tensors of the checkpoint at `step`; state.json holds times and is left out.
std::map<std::string, std::string> tensorsAt(const fs::path& root, std::int64_t step) {
  auto files = filesIn(base::RunFolder::open(root)->checkpoint("teacher", step));
  files.erase("state.json");
  return files;
}

void cutInHalf(const fs::path& file) { fs::resize_file(file, fs::file_size(file) / 2); }

void forOneAndTwoWorkers() {
  QTest::addColumn<int>("num_workers");
  QTest::newRow("one worker") << 1;
  QTest::newRow("two workers") << 2;
}

}  // namespace

class TestStepLoop : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void init() {
    core::initialiseTorch();
    temporary_ = std::make_unique<QTemporaryDir>();
  }

  void theLossFalls() {
    const auto outcome = train(run("a"), {});
    QVERIFY2(outcome.failure.empty(), outcome.failure.c_str());
    QCOMPARE(outcome.losses.size(), std::size_t(kSteps));
    QVERIFY(outcome.losses.at(kSteps) < 0.5 * outcome.losses.at(1));
    const auto* first = std::get_if<base::StageStarted>(&outcome.events[2]);
    QVERIFY(first && first->stage == "teacher" && first->step == 0 && first->total_steps == kSteps &&
            first->num_parameters == 5);
    const auto* last = std::get_if<base::StageFinished>(&outcome.events.back());
    QVERIFY(last && last->step == kSteps && last->wall_seconds > 0);
  }

  void theTimeOfAStepIsSplitIntoItsParts() {
    const auto outcome = train(run("a"), {});
    int num_reports = 0;
    for (const auto& event : outcome.events) {
      const auto* step = std::get_if<base::StepCompleted>(&event);
      if (!step) continue;
      std::map<std::string, double> parts;
      for (const auto& scalar : step->scalars)
        if (scalar.name.starts_with("time/")) parts[scalar.name] = scalar.value;
      QCOMPARE(parts.size(), std::size_t(4));
      double sum = 0;
      for (const char* name : {"time/forward", "time/backward", "time/reduce", "time/optimizer"}) {
        QVERIFY2(parts.contains(name), name);
        QVERIFY2(parts[name] > 0, name);
        sum += parts[name];
      }
      // The first report is of one step: its parts are not longer than the whole.
      if (++num_reports == 1) QVERIFY(sum <= step->seconds_per_step);
    }
    QCOMPARE(num_reports, kSteps);
  }

  void theRateFollowsTheSchedule() {
    const Setup setup;
    const auto outcome = train(run("a"), setup);
    const auto schedule = training::lrSchedule(setup.training);
    for (const auto& [step, rate] : outcome.rates) QCOMPARE(rate, schedule.at(step - 1));
    QCOMPARE(outcome.rates.at(kSteps), setup.training.final_lr);
  }

  void theNumberOfWorkersDoesNotChangeTheLosses() {
    const auto alone = train(run("1"), {});
    for (const int num_workers : {2, 3}) {
      Setup setup;
      setup.num_workers = num_workers;
      const auto shared = train(run(std::to_string(num_workers)), setup);
      QVERIFY2(shared.failure.empty(), shared.failure.c_str());
      QCOMPARE(shared.losses.size(), alone.losses.size());
      for (const auto& [step, loss] : alone.losses)
        QVERIFY2(std::abs(shared.losses.at(step) - loss) < 1e-5,
                 qPrintable(QStringLiteral("step %1: %2, alone %3").arg(step).arg(shared.losses.at(step)).arg(loss)));
    }
  }

  void everyRankStartsFromTheLeadersWeights() {
    Setup setup;
    setup.num_workers = 2;
    const auto equal = train(run("equal"), setup);
    setup.start_of_others = 1;
    const auto different = train(run("different"), setup);
    QCOMPARE(different.losses, equal.losses);
    QVERIFY(torch::equal(different.weight, equal.weight));
  }

  void aBatchSmallerThanTheNumberOfWorkersIsRefusedWithTheRemedy() {
    Setup setup;
    setup.num_workers = 3;
    setup.training.batch_size = 2;
    const auto outcome = train(run("a"), setup);
    QVERIFY2(outcome.failure.find("batch_size 2 is smaller than the number of workers 3") != std::string::npos,
             outcome.failure.c_str());
  }

  void aStoppedRunContinuesBitForBit_data() { forOneAndTwoWorkers(); }
  void aStoppedRunContinuesBitForBit() {
    QFETCH(const int, num_workers);
    Setup setup;
    setup.num_workers = num_workers;
    const auto whole = train(run("whole"), setup);
    setup.answer = after(8, base::StopAndSave{});
    const auto begun = train(run("parts"), setup);
    QVERIFY(begun.is_interrupted && begun.is_saved);
    QCOMPARE(begun.losses.size(), std::size_t(9));
    QCOMPARE(checkpointSteps(run("parts")).back(), std::int64_t(9));
    setup.answer = {};
    const auto continued = train(run("parts"), setup);
    QVERIFY2(continued.failure.empty(), continued.failure.c_str());
    QCOMPARE(continued.losses.begin()->first, std::int64_t(10));
    for (const auto& [step, loss] : begun.losses) QCOMPARE(loss, whole.losses.at(step));
    for (const auto& [step, loss] : continued.losses)
      QVERIFY2(loss == whole.losses.at(step), qPrintable(QStringLiteral("step %1").arg(step)));
    QVERIFY(torch::equal(continued.weight, whole.weight) && torch::equal(continued.bias, whole.bias));
    QCOMPARE(tensorsAt(run("parts"), kSteps), tensorsAt(run("whole"), kSteps));  // weights, averages and moments
    QCOMPARE(tensorsAt(run("whole"), kSteps).size(), std::size_t(3));
  }

  void aFinishedStageIsLeftAlone() {
    train(run("a"), {});
    const auto before = filesIn(run("a"));
    const auto again = train(run("a"), {});
    QVERIFY(again.failure.empty() && again.losses.empty());
    QCOMPARE(filesIn(run("a")), before);
  }

  void aNonFiniteLossStopsWithStepAndTensorAndKeepsTheWeights_data() {
    QTest::addColumn<int>("num_workers");
    QTest::addColumn<double>("poison");
    const double nan = std::numeric_limits<double>::quiet_NaN(), infinity = std::numeric_limits<double>::infinity();
    QTest::newRow("NaN, one worker") << 1 << nan;
    QTest::newRow("NaN, two workers") << 2 << nan;
    QTest::newRow("infinity, one worker") << 1 << infinity;
  }
  void aNonFiniteLossStopsWithStepAndTensorAndKeepsTheWeights() {
    QFETCH(const int, num_workers);
    QFETCH(const double, poison);
    Setup healthy;
    healthy.num_workers = num_workers;
    healthy.answer = after(11, base::StopAndSave{});
    const auto before = train(run("healthy"), healthy);  // the weights after 12 steps

    Setup setup;
    setup.num_workers = num_workers;
    setup.poisoned_step = 12;
    setup.poison = poison;
    const auto outcome = train(run("a"), setup);
    QVERIFY(outcome.is_diverged);
    QVERIFY2(outcome.failure.find("teacher diverged at step 13") != std::string::npos, outcome.failure.c_str());
    QVERIFY2(outcome.failure.find("first non-finite gradient in bias") != std::string::npos, outcome.failure.c_str());
    QVERIFY2(outcome.failure.find("teacher.training.lr") != std::string::npos, outcome.failure.c_str());
    QVERIFY(torch::equal(outcome.weight, before.weight) && torch::equal(outcome.bias, before.bias));
    QCOMPARE(outcome.losses.size(), std::size_t(12));
    QCOMPARE(checkpointSteps(run("a")), (std::vector<std::int64_t>{5, 10}));
    for (const auto& [name, content] : filesIn(run("a")))
      QVERIFY2(name.find(".tmp-") == std::string::npos, name.c_str());
  }

  void aDivergedRunGoesOnFromTheLastCheckpoint() {
    const auto whole = train(run("whole"), {});
    Setup setup;
    setup.poisoned_step = 12;
    QVERIFY(train(run("a"), setup).is_diverged);
    const auto continued = train(run("a"), {});
    QCOMPARE(continued.losses.begin()->first, std::int64_t(11));
    QVERIFY(torch::equal(continued.weight, whole.weight));
  }

  void aDamagedCheckpointIsSkippedForTheOneBefore_data() {
    QTest::addColumn<QString>("file");
    for (const char* file : {"model.safetensors", "ema.safetensors", "optimizer.safetensors", "state.json"})
      QTest::newRow(file) << file;
  }
  void aDamagedCheckpointIsSkippedForTheOneBefore() {
    QFETCH(const QString, file);
    const auto whole = train(run("whole"), {});
    Setup setup;
    setup.answer = after(11, base::StopAndSave{});
    train(run("a"), setup);
    const auto damaged = base::RunFolder::open(run("a"))->checkpoint("teacher", 12) / file.toStdString();
    cutInHalf(damaged);
    const auto continued = train(run("a"), {});
    QVERIFY2(continued.failure.empty(), continued.failure.c_str());
    QVERIFY2(continued.hasMessage("warn", damaged.string()),
             continued.messages.empty() ? "no message" : continued.messages[0].c_str());
    QCOMPARE(continued.losses.begin()->first, std::int64_t(11));
    QVERIFY(torch::equal(continued.weight, whole.weight) && torch::equal(continued.bias, whole.bias));
  }

  void whenNoCheckpointCanBeReadNothingIsChanged() {
    Setup setup;
    setup.answer = after(11, base::StopAndSave{});
    train(run("a"), setup);
    const auto folder = base::RunFolder::open(run("a"));
    for (const auto& entry : folder->listCheckpoints("teacher")) cutInHalf(entry.path / "model.safetensors");
    const auto before = filesIn(run("a"));
    const auto outcome = train(run("a"), {});
    QVERIFY(!outcome.is_interrupted && outcome.losses.empty());
    QVERIFY2(outcome.failure.find(folder->checkpoints("teacher").string()) != std::string::npos,
             outcome.failure.c_str());
    QCOMPARE(filesIn(run("a")), before);
  }

  void theNewestCheckpointsAreKept_data() {
    QTest::addColumn<int>("keep");
    QTest::addColumn<QList<int>>("expected");
    QTest::newRow("one") << 1 << QList<int>{20};
    QTest::newRow("two") << 2 << QList<int>{15, 20};
    QTest::newRow("all") << 0 << QList<int>{5, 10, 15, 20};
  }
  void theNewestCheckpointsAreKept() {
    QFETCH(const int, keep);
    QFETCH(const QList<int>, expected);
    Setup setup;
    setup.training.keep_checkpoints = keep;
    train(run("a"), setup);
    const auto steps = checkpointSteps(run("a"));
    QCOMPARE(QList<int>(steps.begin(), steps.end()), expected);
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
STUDIO_TEST(TestStepLoop)
#include "tst_step_loop.moc"
