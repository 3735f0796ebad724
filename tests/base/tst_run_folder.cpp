// SPDX-License-Identifier: Apache-2.0
#include <QTemporaryDir>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/config/config_io.h"
#include "core/base/run/atomic_file.h"
#include "core/base/run/environment.h"
#include "core/base/run/inbox.h"
#include "core/base/run/run_folder.h"
#include "tests/support/studio_test.h"

using namespace meanflow::base;
namespace fs = std::filesystem;

namespace {
#define VERIFY_HAS(text, part) QVERIFY2((text).find(part) != std::string::npos, (text).c_str())

void put(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}
std::size_t numEntries(const fs::path& folder) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

/// A disk that is full after `bytes` of any one file: writes beyond it fail with EFBIG instead of a signal.
class FullDisk {
 public:
  explicit FullDisk(rlim_t bytes) : handler_(::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &old_);
    const rlimit small{bytes, old_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &small);
  }
  ~FullDisk() {
    ::setrlimit(RLIMIT_FSIZE, &old_);
    ::signal(SIGXFSZ, handler_);
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

 private:
  rlimit old_{};
  sighandler_t handler_;
};
}  // namespace

class TestRunFolder : public QObject {
  Q_OBJECT
 private:
  std::unique_ptr<QTemporaryDir> temporary_;
  fs::path folder_;

 private Q_SLOTS:
  void init() {
    temporary_ = std::make_unique<QTemporaryDir>();
    folder_ = temporary_->path().toStdString();
  }

  void fileIsReplacedWholeOrNotAtAll() {
    const auto target = folder_ / "state.json";
    QVERIFY(writeFileAtomically(target, "old").ok());
    {
      auto file = AtomicFile::create(target);
      QVERIFY(file->write("half of the new").ok());
      QCOMPARE(*readFile(target), std::string("old"));
    }  // dropped without commit
    QCOMPARE(*readFile(target), std::string("old"));
    QCOMPARE(numEntries(folder_), std::size_t{1});
    QVERIFY(writeFileAtomically(target, "new").ok());
    QCOMPARE(*readFile(target), std::string("new"));
    QCOMPARE(numEntries(folder_), std::size_t{1});
  }
  void fullDiskKeepsTheOldFileAndNamesIt() {
    const auto target = folder_ / "weights.bin";
    QVERIFY(writeFileAtomically(target, "old").ok());
    std::string message;
    {
      const FullDisk full(1000);
      const auto written = writeFileAtomically(target, std::string(5000, 'x'));
      message = written ? "" : written.error().message;
    }
    VERIFY_HAS(message, target.string() + ": cannot write: File too large; free some space");
    QCOMPARE(*readFile(target), std::string("old"));
    QCOMPARE(numEntries(folder_), std::size_t{1});
  }
  void missingFolderIsNamed() {
    const auto written = writeFileAtomically(folder_ / "no" / "such.json", "x");
    VERIFY_HAS(written.error().message, "no/such.json: cannot write beside it: No such file or directory");
  }
  void folderAppearsWithAllItsFiles() {
    const auto target = folder_ / "checkpoints" / "step_00000010";
    {
      auto folder = AtomicFolder::create(target);
      QVERIFY(folder.ok());
      put(folder->path() / "state.json", "{}");
      put(folder->path() / "sub" / "a", "1");
      QVERIFY(!fs::exists(target));
      QVERIFY(folder->path().filename().string().starts_with(".tmp-"));
      QVERIFY(folder->commit().ok());
    }
    QCOMPARE(*readFile(target / "sub" / "a"), std::string("1"));
    QCOMPARE(numEntries(folder_ / "checkpoints"), std::size_t{1});
    {
      auto replacement = AtomicFolder::create(target);
      put(replacement->path() / "state.json", "new");
      QVERIFY(replacement->commit().ok());
    }
    QCOMPARE(*readFile(target / "state.json"), std::string("new"));
    QVERIFY(!fs::exists(target / "sub"));
    { auto dropped = AtomicFolder::create(target); put(dropped->path() / "x", "x"); }
    QCOMPARE(*readFile(target / "state.json"), std::string("new"));
    QCOMPARE(numEntries(folder_ / "checkpoints"), std::size_t{1});
  }

  void createdRunOpensAgainWithItsConfiguration() {
    RunConfig config;
    config.seed = 42;
    {
      const auto run = RunFolder::create(folder_ / "run", config);
      QVERIFY2(run.ok(), run.ok() ? "" : run.error().message.c_str());
      QVERIFY(run->isLocked());
      QCOMPARE(run->name(), std::string("run"));
      QCOMPARE(run->relative(run->checkpoint("cmt", 450)), std::string("cmt/checkpoints/step_00000450"));
      VERIFY_HAS(RunFolder::create(folder_ / "run", config).error().message, "already holds a run");
    }
    const auto again = RunFolder::open(folder_ / "run/");
    QVERIFY(again.ok());
    QCOMPARE(again->readConfig()->seed, std::int64_t{42});
    QCOMPARE(again->name(), std::string("run"));
    QVERIFY(!again->isOwnedBySomeone());
  }
  void otherFoldersAreRefusedInOneSentence() {
    put(folder_ / "pictures" / "a.png", "x");
    const auto opened = RunFolder::open(folder_ / "pictures");
    VERIFY_HAS(opened.error().message, "pictures: is not a run folder (it has no config.yaml)");
    QVERIFY(opened.error().kind == ErrorKind::kUsage);
    VERIFY_HAS(RunFolder::open(folder_ / "none").error().message, "none: no such folder");
    VERIFY_HAS(RunFolder::create(folder_ / "pictures", {}).error().message, "exists and is not an empty folder");
    QVERIFY(fs::exists(folder_ / "pictures" / "a.png"));
  }
  void twoWritersNeverTrainIntoOneRun() {
    auto first = RunFolder::create(folder_ / "run", {});
    QVERIFY(first.ok());
    auto second = RunFolder::open(folder_ / "run");
    const auto refused = second->lock();
    QVERIFY(!refused.ok());
    VERIFY_HAS(refused.error().message, "another process is training into this run (process " + std::to_string(getpid()));
    QVERIFY(second->isOwnedBySomeone());
    QVERIFY(!second->sweepTemporaries().ok());
    // Another process is refused as well, and its death frees a lock that it holds.
    const pid_t child = fork();
    if (child == 0) {
      auto run = RunFolder::open(folder_ / "run");
      ::_exit(run && !run->lock() ? 17 : 1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    QCOMPARE(WEXITSTATUS(status), 17);
    { auto released = std::move(*first); }
    QVERIFY(second->lock().ok());
    auto third = RunFolder::open(folder_ / "run");
    QVERIFY(!third->lock().ok());
  }
  void onlyCompleteCheckpointsAreListedByNumber() {
    const auto run = RunFolder::create(folder_ / "run", {});
    for (const char* name : {"step_00000900", "step_00000050", "step_100000000", "step_x", "best", ".tmp-step_00001000-1-0"})
      put(run->checkpoints("cmt") / name / "state.json", "{}");
    fs::create_directories(run->checkpoints("cmt") / "step_00000999");  // no state.json
    const auto found = run->listCheckpoints("cmt");
    QCOMPARE(found.size(), std::size_t{3});
    QCOMPARE(found[0].step, std::int64_t{50});
    QCOMPARE(found[2].step, std::int64_t{100000000});
    QCOMPARE(found[1].path, run->checkpoint("cmt", 900));
    QVERIFY(run->listCheckpoints("teacher").empty());
  }
  void leftoversOfACrashAreSwept() {
    const auto run = RunFolder::create(folder_ / "run", {});
    put(run->checkpoints("cmt") / ".tmp-step_00001000-1-0" / "model.safetensors", "half");
    put(run->root() / ".tmp-config.yaml-1-0", "half");
    put(run->inbox() / ".tmp-1.json-1-0", "being written");
    const auto old = run->inbox() / ".tmp-2.json-1-0";
    put(old, "abandoned");
    fs::last_write_time(old, fs::file_time_type::clock::now() - std::chrono::hours(1));
    const auto num_removed = run->sweepTemporaries();
    QVERIFY(num_removed.ok());
    QCOMPARE(*num_removed, 3);
    QVERIFY(fs::exists(run->inbox() / ".tmp-1.json-1-0") && !fs::exists(old) && fs::exists(run->config()));
  }

  void commandsArriveInOrderAndBadFilesStepAside() {
    const Inbox inbox(folder_ / "inbox");
    QVERIFY(inbox.take().empty());
    QVERIFY(inbox.send(Pause{}).ok());
    for (int i = 0; i < 20; ++i) QVERIFY(inbox.send(ChangeSetting{"seed", std::to_string(i)}).ok());
    put(folder_ / "inbox" / "0-bad.json", "{\"command\":\"explode\"}");
    put(folder_ / "inbox" / "0-huge.json", std::string(100000, ' '));
    put(folder_ / "inbox" / "README", "not a command");
    const auto commands = inbox.take();
    QCOMPARE(commands.size(), std::size_t{21});
    QVERIFY(std::holds_alternative<Pause>(commands[0]));
    for (int i = 0; i < 20; ++i)
      QCOMPARE(std::get<ChangeSetting>(commands[static_cast<std::size_t>(i) + 1]).value, std::to_string(i));
    QVERIFY(inbox.take().empty());
    QVERIFY(fs::exists(folder_ / "inbox" / "rejected" / "0-bad.json"));
    QVERIFY(fs::exists(folder_ / "inbox" / "rejected" / "0-huge.json"));
  }
  void environmentNamesVersionsDevicesAndCommandLine() {
    QVERIFY(writeEnvironment(folder_ / "environment.json", {.versions = {{"libtorch", "2.11.0"}}, .devices = {"CPU x"},
                                                            .command_line = {"meanflow", "demo"}, .unix_seconds = 86400}).ok());
    const auto json = nlohmann::json::parse(*readFile(folder_ / "environment.json"));
    QCOMPARE(json["time"].get<std::string>(), std::string("1970-01-02T00:00:00Z"));
    QCOMPARE(json["versions"]["libtorch"].get<std::string>(), std::string("2.11.0"));
    QCOMPARE(json["devices"][0].get<std::string>(), std::string("CPU x"));
    QCOMPARE(json["command_line"][1].get<std::string>(), std::string("demo"));
  }
  void readFileRefusesWhatIsTooLargeOrNoFile() {
    put(folder_ / "big", std::string(100, 'x'));
    VERIFY_HAS(readFile(folder_ / "big", 99).error().message, "holds 100 bytes, at most 99");
    VERIFY_HAS(readFile(folder_).error().message, "is not a file");
    VERIFY_HAS(readFile(folder_ / "none").error().message, "does not exist");
  }
};
STUDIO_TEST(TestRunFolder)
#include "tst_run_folder.moc"
