// SPDX-License-Identifier: Apache-2.0
//
// Records long enough to be folded by the reader: what the window shows in the end is what a replay of every event
// would show, with and without a pyramid, while the log grows, and when it is not the one the pyramid was made of.
#include <QDir>
#include <QTemporaryDir>
#include <filesystem>
#include <fstream>
#include <string>

#include "core/base/events/event_json.h"
#include "core/base/metrics/run_pyramid.h"
#include "tests/support/studio_test.h"
#include "tests/ui/made_up_run.h"
#include "ui/models/recorded_run_source.h"

using namespace meanflow;
using namespace meanflow::ui;

namespace {

constexpr std::int64_t kLongSteps = 60'000;  // with 200 bytes each well over RecordedRunSource::kLongLogBytes

/// Loss with one spike; a checkpoint every 10,000 steps.
std::vector<base::EventRecord> longRun(std::int64_t first_step, std::int64_t last_step, std::int64_t sequence = 0) {
  std::vector<base::EventRecord> records;
  const auto add = [&](base::TrainingEvent event) {
    records.push_back({sequence, 1.7e9 + 0.01 * static_cast<double>(sequence), std::move(event)});
    ++sequence;
  };
  if (first_step == 1) {
    base::RunStarted started{.run_name = "long", .seed = 7, .device = "cpu", .num_workers = 1};
    started.stages = {"teacher"};
    started.stage_steps = {100 * kLongSteps};
    started.class_names = {"face"};
    add(started);
    add(base::StateChanged{.state = base::RunState::kRunning});
    add(base::StageStarted{"teacher", 0, 100 * kLongSteps, 1000});
  }
  for (auto step = first_step; step <= last_step; ++step) {
    base::StepCompleted done{.stage = "teacher", .step = step, .images_seen = 64 * step};
    const double loss = step == 12'345 ? 1000.0 : 1.0 / static_cast<double>(step);
    done.scalars = {{"loss", loss}, {"grad_norm", 2.0 + static_cast<double>(step % 7)}, {"lr", 1e-4}};
    done.seconds_per_step = 0.01;
    add(done);
    if (step % 10'000 == 0) {
      base::CheckpointSaved saved;
      saved.stage = "teacher", saved.step = step, saved.path = "teacher/checkpoints/step_" + std::to_string(step);
      add(saved);
    }
  }
  return records;
}

std::filesystem::path logOf(const QString& folder) {
  return std::filesystem::path(folder.toStdString()) / "events.jsonl";
}

/// Every point of a series, or its first difference from what `expected` holds.
QString difference(const RunSource& source, const RunSource& expected, const std::string& scalar) {
  const auto* seen = source.metrics().series("teacher", scalar);
  const auto* wanted = expected.metrics().series("teacher", scalar);
  if (!seen || !wanted) return QStringLiteral("no series");
  if (seen->isCondensed()) return QStringLiteral("still condensed");
  if (seen->size() != wanted->size())
    return QStringLiteral("%1 points instead of %2").arg(seen->size()).arg(wanted->size());
  for (std::size_t i = 0; i < wanted->size(); ++i) {
    if (seen->x(i) != wanted->x(i) || seen->low(i) != wanted->low(i))
      return QStringLiteral("point %1 is (%2, %3)").arg(i).arg(seen->x(i)).arg(seen->low(i));
  }
  return {};
}

double highestLoss(const RunSource& source) {
  const auto* loss = source.metrics().series("teacher", "loss");
  double highest = 0;
  for (std::size_t i = 0; loss && i < loss->size(); ++i) highest = std::max(highest, loss->high(i));
  return highest;
}

}  // namespace

class TestLongRuns : public QObject {
  Q_OBJECT
  std::vector<base::EventRecord> all_ = longRun(1, kLongSteps);

  static bool isRead(const RunSource& source, std::int64_t step) {
    return !source.isLoading() && !source.isCondensed() && !source.summary().stages.empty() &&
           source.summary().stages[0].step == step;
  }

 private Q_SLOTS:
  void endsWithEveryPoint_data() {
    QTest::addColumn<bool>("has_pyramid");
    QTest::newRow("first opening") << false;
    QTest::newRow("with its pyramid") << true;
  }
  void endsWithEveryPoint() {
    QFETCH(bool, has_pyramid);
    const QTemporaryDir dir;
    const QString folder = dir.filePath(QStringLiteral("run"));
    testing::writeRunFolder(folder, all_);
    QVERIFY(static_cast<std::int64_t>(std::filesystem::file_size(logOf(folder))) > RecordedRunSource::kLongLogBytes);
    if (has_pyramid) {
      RecordedRunSource first(folder);
      QTRY_VERIFY_WITH_TIMEOUT(std::filesystem::exists(base::runPyramidPath(logOf(folder))), 30000);
    }
    RunSource expected(QStringLiteral("/nowhere"));
    expected.feed(all_);
    RecordedRunSource source(folder);
    if (has_pyramid) {
      // Shown from the pyramid before all points are there, and with the spike: a condensed maximum is a maximum.
      QTRY_COMPARE_WITH_TIMEOUT(highestLoss(source), 1000.0, 30000);
    }
    QTRY_VERIFY_WITH_TIMEOUT(isRead(source, kLongSteps), 30000);
    for (const char* scalar : {"loss", "grad_norm", "lr"})
      QVERIFY2(difference(source, expected, scalar).isEmpty(), qPrintable(difference(source, expected, scalar)));
    QCOMPARE(source.summary().run_name, std::string("long"));
    QCOMPARE(source.summary().unsavedSteps(), expected.summary().unsavedSteps());
    QCOMPARE(source.trouble(), QString());
  }

  void goesOnWithALogThatGrows() {
    const QTemporaryDir dir;
    const QString folder = dir.filePath(QStringLiteral("run"));
    testing::writeRunFolder(folder, all_);
    {
      RecordedRunSource first(folder);
      QTRY_VERIFY_WITH_TIMEOUT(isRead(first, kLongSteps), 30000);
      QTRY_VERIFY_WITH_TIMEOUT(std::filesystem::exists(base::runPyramidPath(logOf(folder))), 30000);
    }
    const auto behind = longRun(kLongSteps + 1, kLongSteps + 500, all_.back().sequence + 1);
    const auto later = longRun(kLongSteps + 501, kLongSteps + 700, behind.back().sequence + 1);
    testing::writeRunFolder(folder, behind);  // the pyramid does not know of these
    RecordedRunSource source(folder);
    QTRY_VERIFY_WITH_TIMEOUT(source.metrics().series("teacher", "loss") != nullptr, 30000);
    testing::writeRunFolder(folder, later);  // and these come while the log is read
    QTRY_VERIFY_WITH_TIMEOUT(isRead(source, kLongSteps + 700), 30000);
    RunSource expected(QStringLiteral("/nowhere"));
    for (const auto* part : {&std::as_const(all_), &behind, &later}) expected.feed(*part);
    QTRY_COMPARE_WITH_TIMEOUT(difference(source, expected, "loss"), QString(), 30000);
    QTest::qWait(300);
    QCOMPARE(difference(source, expected, "loss"), QString());  // nothing is folded twice
  }

  void aLogThatIsNotThePyramidsIsReadItself() {
    const QTemporaryDir dir;
    const QString folder = dir.filePath(QStringLiteral("run"));
    testing::writeRunFolder(folder, all_);
    {
      RecordedRunSource first(folder);
      QTRY_VERIFY_WITH_TIMEOUT(std::filesystem::exists(base::runPyramidPath(logOf(folder))), 30000);
    }
    auto others = longRun(1, kLongSteps - 5000);  // another run in the same place, shorter
    for (auto& record : others)
      if (auto* step = std::get_if<base::StepCompleted>(&record.event)) step->scalars[0].value *= 3;
    QVERIFY(std::filesystem::remove(logOf(folder)));
    testing::writeRunFolder(folder, others);
    RunSource expected(QStringLiteral("/nowhere"));
    expected.feed(others);
    RecordedRunSource source(folder);
    QTRY_VERIFY_WITH_TIMEOUT(isRead(source, kLongSteps - 5000), 30000);
    QCOMPARE(difference(source, expected, "loss"), QString());
  }

  void survivesTheFolderBeingPulledAway_data() {
    QTest::addColumn<bool>("is_condensed_first");
    QTest::newRow("before it is read") << false;
    QTest::newRow("with condensed curves on show") << true;
  }
  void survivesTheFolderBeingPulledAway() {
    QFETCH(bool, is_condensed_first);
    const QTemporaryDir dir;
    const QString folder = dir.filePath(QStringLiteral("run")), elsewhere = dir.filePath(QStringLiteral("moved"));
    testing::writeRunFolder(folder, all_);
    if (is_condensed_first) {
      RecordedRunSource first(folder);
      QTRY_VERIFY_WITH_TIMEOUT(std::filesystem::exists(base::runPyramidPath(logOf(folder))), 30000);
    }
    RecordedRunSource source(folder);
    if (is_condensed_first) QTRY_COMPARE_WITH_TIMEOUT(highestLoss(source), 1000.0, 30000);
    QVERIFY(QDir().rename(folder, elsewhere));  // the reader is at its points by now, or about to begin
    QTRY_VERIFY_WITH_TIMEOUT(!source.trouble().isEmpty(), 30000);
    QVERIFY(QDir().rename(elsewhere, folder));
    QTRY_VERIFY_WITH_TIMEOUT(source.trouble().isEmpty() && isRead(source, kLongSteps), 30000);
    RunSource expected(QStringLiteral("/nowhere"));
    expected.feed(all_);
    QTRY_COMPARE_WITH_TIMEOUT(difference(source, expected, "loss"), QString(), 30000);
  }

  void aBrokenPyramidChangesNothing() {
    const QTemporaryDir dir;
    const QString folder = dir.filePath(QStringLiteral("run"));
    testing::writeRunFolder(folder, all_);
    std::ofstream(base::runPyramidPath(logOf(folder))) << "no pyramid at all";
    RunSource expected(QStringLiteral("/nowhere"));
    expected.feed(all_);
    RecordedRunSource source(folder);
    QTRY_VERIFY_WITH_TIMEOUT(isRead(source, kLongSteps), 30000);
    QCOMPARE(difference(source, expected, "grad_norm"), QString());
  }
};

STUDIO_TEST(TestLongRuns)
#include "tst_long_runs.moc"
