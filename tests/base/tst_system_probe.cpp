// SPDX-License-Identifier: Apache-2.0
#include <QTemporaryDir>
#include <cmath>
#include <filesystem>
#include <fstream>

#include "core/base/system/nvml.h"
#include "core/base/system/system_probe.h"
#include "tests/support/studio_test.h"

using namespace meanflow::base;

namespace {

void putText(const std::filesystem::path& path, const std::string& text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

}  // namespace

class TestSystemProbe : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void cleanup() { qunsetenv("NVML_FAKE_FAIL"); }

  void readsEveryFigureOfEveryGpu() {
    const auto nvml = Nvml::open(STUDIO_FAKE_NVML);
    QVERIFY2(nvml.ok(), nvml.ok() ? "" : nvml.error().message.c_str());
    const auto gpus = nvml->read();
    QCOMPARE(gpus.size(), 2u);
    QCOMPARE(gpus[0].name, std::string("Made-up GPU"));
    QCOMPARE(gpus[0].utilisation.value(), 0.93);
    QCOMPARE(gpus[0].memory_used.value(), std::int64_t{41} << 30);
    QCOMPARE(gpus[0].memory_total.value(), std::int64_t{80} << 30);
    QCOMPARE(gpus[0].power_watts.value(), 512.3);
    QCOMPARE(gpus[0].power_limit_watts.value(), 700.0);
    QCOMPARE(gpus[0].temperature_celsius.value(), 61.0);
    // A device that does not tell is not one at rest.
    QVERIFY(!gpus[1].utilisation && !gpus[1].power_watts && !gpus[1].temperature_celsius);
    QCOMPARE(gpus[1].memory_used.value(), std::int64_t{1} << 30);
  }

  void saysWhyThereAreNoGpus() {
    const auto missing = Nvml::open("libno-such-driver.so.1");
    QVERIFY(!missing.ok());
    QVERIFY2(missing.error().message.starts_with("No NVIDIA driver was found"), missing.error().message.c_str());
    qputenv("NVML_FAKE_FAIL", "init");
    const auto silent = Nvml::open(STUDIO_FAKE_NVML);
    QVERIFY(!silent.ok());
    QVERIFY2(silent.error().message.find("Driver Not Loaded") != std::string::npos, silent.error().message.c_str());
    qputenv("NVML_FAKE_FAIL", "none");
    const auto none = Nvml::open(STUDIO_FAKE_NVML);
    QVERIFY(!none.ok());
    QVERIFY2(none.error().message.find("no GPU") != std::string::npos, none.error().message.c_str());
  }

  void aLibraryThatIsNoNvmlIsRefused() {
    const auto other = Nvml::open("libm.so.6");
    QVERIFY(!other.ok());
    QVERIFY2(other.error().message.find("lacks functions") != std::string::npos, other.error().message.c_str());
  }

  void sharesOfTheProcessorAreBetweenTwoLooks() {
    const QTemporaryDir dir;
    const std::filesystem::path proc = dir.path().toStdString();
    putText(proc / "stat", "cpu  100 0 100 700 100 0 0 0 50 0\ncpu0 1 2 3\ncpu1 1 2 3\nintr 5\n");
    putText(proc / "self" / "stat", "1 (a ) program) S 1 1 1 0 -1 0 0 0 0 0 300 100 0 0\n");
    putText(proc / "self" / "status", "Name:\tx\nVmRSS:\t  2048 kB\n");
    putText(proc / "meminfo", "MemTotal:  8192 kB\nMemFree: 10 kB\nMemAvailable:  6144 kB\n");
    SystemProbe probe({.proc = proc, .nvml_library = STUDIO_FAKE_NVML});
    const auto first = probe.read(dir.path().toStdString());
    QVERIFY(!first.machine_cpu && !first.process_cpu);
    QCOMPARE(first.num_cores, 2);
    QCOMPARE(first.memory_total.value(), std::int64_t{8} << 20);
    QCOMPARE(first.memory_available.value(), std::int64_t{6} << 20);
    QCOMPARE(first.process_memory.value(), std::int64_t{2} << 20);
    QVERIFY(first.disk_free.value() > 0 && first.disk_free.value() <= first.disk_total.value());
    QCOMPARE(first.gpus.size(), 2u);
    QVERIFY(probe.gpuProblem().empty());
    // 300 of 400 new ticks were busy, 100 of them ours; waiting for a disk is no work.
    putText(proc / "stat", "cpu  300 0 200 750 150 0 0 0 90 0\ncpu0 1 2 3\ncpu1 1 2 3\nintr 5\n");
    putText(proc / "self" / "stat", "1 (a ) program) S 1 1 1 0 -1 0 0 0 0 0 350 150 0 0\n");
    QTest::qSleep(20);
    const auto second = probe.read({});
    QCOMPARE(second.machine_cpu.value(), 0.75);
    QVERIFY(second.process_cpu.value() > 0);
    QVERIFY(!second.disk_free);
  }

  void thisMachineIsReadable() {
    SystemProbe probe({.nvml_library = "libno-such-driver.so.1"});
    [[maybe_unused]] const auto first = probe.read("/");
    double sum = 0;
    for (int i = 0; i < 30'000'000; ++i) sum += std::sqrt(static_cast<double>(i));
    QVERIFY(sum > 0);
    const auto now = probe.read("/");
    QVERIFY(now.num_cores > 0);
    QVERIFY(now.process_memory.value() > (1 << 20));
    QVERIFY(now.memory_available.value() <= now.memory_total.value());
    QVERIFY(!probe.gpuProblem().empty());
    QVERIFY(now.gpus.empty());
  }

  void aFolderThatIsGoneHasNoDisk() {
    SystemProbe probe({.nvml_library = "libno-such-driver.so.1"});
    QVERIFY(!probe.read("/no/such/folder").disk_free);
  }
};

STUDIO_TEST(TestSystemProbe)
#include "tst_system_probe.moc"
