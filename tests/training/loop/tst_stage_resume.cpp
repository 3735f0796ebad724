// SPDX-License-Identifier: Apache-2.0
//
// A stage that goes on where a process before this one left it: bit for bit, past damaged checkpoints, or not at all.

#include <QTemporaryDir>

#include "core/device/device.h"
#include "tests/support/studio_test.h"
#include "tests/training/loop/line_stage.h"

using namespace meanflow;
using namespace meanflow::testing::line;
using testing::after;
namespace fs = std::filesystem;

class TestStageResume : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void init() {
    core::initialiseTorch();
    temporary_ = std::make_unique<QTemporaryDir>();
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

 private:
  fs::path run(const std::string& name) const { return fs::path(temporary_->path().toStdString()) / name; }

  std::unique_ptr<QTemporaryDir> temporary_;
};
STUDIO_TEST(TestStageResume)
#include "tst_stage_resume.moc"
