// SPDX-License-Identifier: Apache-2.0
#include <QApplication>
#include <QLabel>
#include <QTemporaryDir>
#include <atomic>
#include <cmath>

#include "tests/support/studio_test.h"
#include "tests/ui/made_up_run.h"
#include "ui/models/live_run_source.h"
#include "ui/models/system_monitor.h"
#include "ui/panels/system_charts.h"
#include "ui/panels/system_panel.h"
#include "ui/theme/theme.h"

using namespace meanflow;
using namespace meanflow::ui;

namespace {

/// A machine that never was; every look is a second after the one before.
struct MadeUpMachine {
  std::atomic<int> num_looks = 0;
  bool has_gpu = false;
  std::int64_t disk_free = std::int64_t{44} << 30;

  SystemMonitor::Probe probe() {
    return [this](const std::string& folder) {
      SystemMonitor::Look look;
      auto& r = look.reading;
      r.unix_seconds = 1.76e9 + num_looks++;
      r.num_cores = 8;
      r.machine_cpu = 0.37;
      r.process_cpu = 1.5;
      r.memory_total = std::int64_t{16} << 30;
      r.memory_available = std::int64_t{12} << 30;
      r.process_memory = std::int64_t{1} << 30;
      if (!folder.empty()) {
        r.disk_total = std::int64_t{100} << 30;
        r.disk_free = disk_free;
      }
      if (has_gpu)
        r.gpus = {{"Made-up GPU", 0.93, std::int64_t{41} << 30, std::int64_t{80} << 30, 512.3, 700.0, 61.0}};
      else
        look.gpu_problem = QStringLiteral("No NVIDIA driver was found on this machine.");
      return look;
    };
  }
};

}  // namespace

class TestSystemPanel : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase() { theme_ = std::make_unique<Theme>(*qApp); }

  void saysWhatTheMachineDoesAndWhyThereIsNoGpu() {
    MadeUpMachine machine;
    SystemMonitor monitor(machine.probe());
    SystemPanel panel(*theme_, monitor);
    panel.resize(480, 560);
    panel.show();
    QTRY_VERIFY(panel.figures().size() >= 5);
    QCOMPARE(panel.figures()[0], QStringLiteral("Machine: 37 % of 8 cores busy · 4.00 of 16.0 GiB memory in use"));
    QCOMPARE(panel.figures()[1], QStringLiteral("This window: 1.50 cores · 1.00 GiB memory"));
    QVERIFY(panel.figures()[2].startsWith(QStringLiteral("Disk: open a run")));
    QCOMPARE(panel.figures()[3], QStringLiteral("GPU: No NVIDIA driver was found on this machine."));
    QCOMPARE(panel.figures()[4], QStringLiteral("Steps: no run is open"));
  }

  void gpusAndDiskAndStepsOfALiveRun() {
    MadeUpMachine machine;
    machine.has_gpu = true;
    SystemMonitor monitor(machine.probe());
    SystemPanel panel(*theme_, monitor);
    panel.resize(480, 640);
    QTemporaryDir dir;
    LiveRunSource source(dir.path());
    panel.setSource(&source);
    panel.show();
    source.feed(testing::madeUpRun({.num_stages = 2, .has_samples = false}));
    QTRY_VERIFY(panel.figures().contains(QStringLiteral("Disk: 44.0 of 100 GiB free")));
    QTRY_VERIFY2(panel.figures().contains(QStringLiteral("GPU: 93 % busy · 41.0 of 80.0 GiB · 512 of 700 W · 61 °C")),
                 qPrintable(panel.figures().join(QLatin1Char('\n'))));
    QTRY_VERIFY2(panel.figures().contains(QStringLiteral("Steps: 8.333 steps/s, 120 ms a step")),
                 qPrintable(panel.figures().join(QLatin1Char('\n'))));
    QVERIFY(panel.figures()[1].startsWith(QStringLiteral("Window and training")));
    QTRY_COMPARE(panel.charts().numCharts(), 4u);  // processor, memory, GPU, steps
    report(source, base::RunState::kPaused);
    QTRY_VERIFY(panel.figures().back().contains(QStringLiteral("not stepping")));
    panel.setSource(nullptr);
    QVERIFY(panel.figures().back().contains(QStringLiteral("no run is open")));
  }

  void aDiskThatIsNearlyFullIsMarked() {
    MadeUpMachine machine;
    machine.disk_free = std::int64_t{1} << 29;
    SystemMonitor monitor(machine.probe());
    SystemPanel panel(*theme_, monitor);
    QTemporaryDir dir;
    RunSource source(dir.path());
    panel.setSource(&source);
    panel.show();
    const auto isMarked = [&] {
      for (const auto* label : panel.findChildren<QLabel*>())
        if (label->property("bad").toBool() && label->text().contains(QStringLiteral("0.50 of 100"))) return true;
      return false;
    };
    QTRY_VERIFY(isMarked());
    panel.setSource(nullptr);
  }

  void theTimeOfAStepIsSplitWhereTheRunSaysSo() {
    base::MetricsStore metrics;
    base::StepCompleted step{.stage = "teacher", .step = 1};
    step.scalars = {{"loss", 1.0}, {"time/forward", 0.03}, {"time/backward", 0.06}, {"time/optimizer", 0.01}};
    metrics.apply({0, 1.0, step});
    const auto parts = timeSplit(metrics, "teacher");
    QCOMPARE(parts.size(), 3u);
    double total = 0;
    for (const auto& part : parts) total += part.value;
    QVERIFY(std::abs(total - 0.1) < 1e-12);
    QVERIFY(timeSplit(metrics, "cmt").empty());
    MadeUpMachine machine;
    SystemMonitor monitor(machine.probe());
    SystemPanel panel(*theme_, monitor);
    panel.resize(480, 500);
    panel.show();
    RunSource source(QStringLiteral("/nowhere"));
    panel.setSource(&source);
    std::vector<base::EventRecord> events = testing::madeUpRun({.num_stages = 3, .has_samples = false});
    source.feed(events);
    auto* bar = panel.findChild<TimeSplitBar*>();
    QTest::qWait(60);
    QVERIFY(!bar->isVisible());  // says so in words instead
    step.step = 961;
    const base::EventRecord more{static_cast<std::int64_t>(events.size()), 1.76e9, step};
    source.feed({&more, 1});
    QTRY_VERIFY(bar->isVisible());
    QCOMPARE(bar->accessibleDescription(), QStringLiteral("forward 30 %, backward 60 %, optimiser 10 %"));
    panel.setSource(nullptr);
  }

  void theLastMinutesAreKeptAndNoMore() {
    MadeUpMachine machine;
    SystemMonitor monitor([&](const std::string& folder) {
      auto look = machine.probe()(folder);
      look.reading.unix_seconds = 1.76e9 + 200.0 * machine.num_looks;
      return look;
    });
    monitor.setWatched(true);
    for (int i = 0; i < 12; ++i) {
      monitor.setFolder(QString::number(i));  // has it look at once
      const int before = machine.num_looks;
      QTRY_VERIFY(machine.num_looks > before || monitor.history().size() >= 4);
    }
    QTRY_VERIFY(machine.num_looks >= 6);
    QTest::qWait(30);
    const auto& history = monitor.history();
    QVERIFY(history.size() >= 2 && history.size() <= 5);
    QVERIFY(history.back().unix_seconds - history.front().unix_seconds <= SystemMonitor::kKeptSeconds);
  }

 private:
  static void report(RunSource& source, base::RunState state) {
    const base::EventRecord record{100000, 1.76e9, base::StateChanged{state}};
    source.feed({&record, 1});
  }
  std::unique_ptr<Theme> theme_;
};

STUDIO_TEST(TestSystemPanel)
#include "tst_system_panel.moc"
