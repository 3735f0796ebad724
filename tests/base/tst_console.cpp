// SPDX-License-Identifier: Apache-2.0
#include <spdlog/spdlog.h>
#include <QTemporaryDir>
#include <cstdio>

#include "core/base/console/progress_bar.h"
#include "core/base/logging.h"
#include "core/base/run/atomic_file.h"
#include "tests/support/studio_test.h"

using namespace meanflow::base;

namespace {
std::string shown(ProgressBarOptions options, const std::vector<EventRecord>& records) {
  char* text = nullptr;
  std::size_t size = 0;
  std::FILE* out = ::open_memstream(&text, &size);
  {
    ProgressBar bar(options, out);
    for (const auto& record : records) bar.publish(record);
  }
  std::fclose(out);
  std::string result(text, size);
  std::free(text);
  return result;
}
std::vector<EventRecord> shortRun() {
  std::vector<EventRecord> records = {{0, 0, StageStarted{"cmt", 0, 100, 1'400'000}}};
  for (int i = 1; i <= 100; ++i)
    records.push_back({i, 0.2 * i,
                       StepCompleted{.stage = "cmt",
                                     .step = i,
                                     .images_seen = 0,
                                     .scalars = {{"loss", 0.5}},
                                     .seconds_per_step = 0.2,
                                     .images_per_second = 0,
                                     .eta_seconds = 0.2 * (100 - i),
                                     .is_clipped = false}});
  records.push_back({101, 20, StageFinished{"cmt", 100, 125, 250}});
  records.push_back({102, 20, RunFailed{"mean_flow", 3, "the disk is full", false}});
  return records;
}
}  // namespace

class TestConsole : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void plainLinesComeEveryFewSeconds() {
    const auto text = shown({.is_terminal = false, .seconds_per_line = 5}, shortRun());
    QVERIFY2(text.find('\033') == std::string::npos && text.find('\r') == std::string::npos, text.c_str());
    QVERIFY2(text.starts_with("cmt: 100 steps, 1.40 M parameters\ncmt: 1/100  loss 0.5  5.0 it/s  20 s left\n"),
             text.c_str());
    QVERIFY2(text.find("cmt: 100/100  loss 0.5  5.0 it/s  0 s left\n") != std::string::npos, text.c_str());
    QVERIFY2(text.ends_with(
                 "cmt: done in 2 min 05 s (4 min 10 s of CPU time)\nfailed at mean_flow step 3: the disk is full\n"),
             text.c_str());
    const auto num_lines = std::count(text.begin(), text.end(), '\n');
    QVERIFY2(num_lines >= 7 && num_lines <= 9, text.c_str());
  }
  void barOnATerminalStaysWithinItsWidth() {
    const auto text = shown({.is_terminal = true, .is_coloured = false, .width = 70}, shortRun());
    QVERIFY(text.find("[########") != std::string::npos);
    std::size_t start = 0;
    while ((start = text.find("\r\033[Kcmt  [", start)) != std::string::npos) {
      const auto end = text.find_first_of("\r\n", start + 1);
      QVERIFY2(end - start - 4 <= 70, text.substr(start, end - start).c_str());
      start = end;
    }
    QVERIFY(text.find("\033[32m") == std::string::npos);
    QVERIFY(shown({.is_terminal = true, .is_coloured = true}, shortRun()).find("\033[32m") != std::string::npos);
  }
  void durationsReadWell() {
    QCOMPARE(formatDuration(42.4), std::string("42 s"));
    QCOMPARE(formatDuration(185), std::string("3 min 05 s"));
    QCOMPARE(formatDuration(7800), std::string("2 h 10 min"));
    QCOMPARE(formatDuration(-1), std::string("?"));
  }
  void logFileGetsWhatIsLogged() {
    QTemporaryDir folder;
    const auto file = folder.filePath("log.txt").toStdString();
    const auto before = spdlog::default_logger();
    QVERIFY(!setUpLogging("loud").ok());
    QVERIFY(setUpLogging("info").ok());
    QVERIFY(addLogFile(file).ok());
    QVERIFY(!addLogFile("/proc/no/such/log.txt").ok());
    spdlog::debug("not this");
    spdlog::warn("disk nearly full");
    spdlog::set_default_logger(before);
    const auto text = readFile(file);
    QVERIFY(text.ok());
    QVERIFY2(text->find(" warning: disk nearly full\n") != std::string::npos, text->c_str());
    QVERIFY(text->find("not this") == std::string::npos);
  }
};
STUDIO_TEST(TestConsole)
#include "tst_console.moc"
