// SPDX-License-Identifier: Apache-2.0
//
// The loop around a stage: what it trains and reports, alone and shared between workers.
#include "training/loop/step_loop.h"

#include <QTemporaryDir>
#include <limits>
#include <map>

#include "core/device/device.h"
#include "tests/support/studio_test.h"
#include "tests/training/loop/line_stage.h"
#include "training/optim/lr_schedule.h"

using namespace meanflow;
using namespace meanflow::testing::line;
using testing::after;
namespace fs = std::filesystem;

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

 private:
  fs::path run(const std::string& name) const { return fs::path(temporary_->path().toStdString()) / name; }

  std::unique_ptr<QTemporaryDir> temporary_;
};
STUDIO_TEST(TestStepLoop)
#include "tst_step_loop.moc"
