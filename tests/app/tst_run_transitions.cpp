// SPDX-License-Identifier: Apache-2.0
//
// What a run goes through at the worst of times, steered through the training library as the window steers it: stopped
// while a checkpoint is being written, the window closed while one stage gives way to the next, the disk full. Each
// time what is left behind is whole, and a run that goes on from there ends with the very weights of one that nobody
// disturbed.
#include <dlfcn.h>
#include <signal.h>
#include <sys/resource.h>

#include <QTemporaryDir>
#include <atomic>
#include <filesystem>
#include <functional>
#include <mutex>
#include <thread>

#include "core/base/events/event_log.h"
#include "core/base/run/atomic_file.h"
#include "core/base/run/checkpoint_files.h"
#include "core/base/run/run_folder.h"
#include "core/base/run/run_state.h"
#include "core/base/run/training_host.h"
#include "tests/support/studio_test.h"
#include "tests/training/run/tiny_preset.h"

using namespace meanflow;
namespace fs = std::filesystem;

namespace {

constexpr int kPatienceMs = 120'000;

/// Keeps what a run says; `react` is called in the middle of training, on the run's own thread.
class Witness final : public base::EventSink {
 public:
  using Reaction = std::function<void(const base::TrainingEvent&)>;
  explicit Witness(Reaction reaction = {}) : react_(std::move(reaction)) {}

  void publish(const base::EventRecord& record) override {
    {
      const std::lock_guard lock(mutex_);
      events_.push_back(record.event);
    }
    if (react_) react_(record.event);
  }

  template <class Event>
  std::vector<Event> all() const {
    const std::lock_guard lock(mutex_);
    std::vector<Event> found;
    for (const auto& event : events_)
      if (const auto* e = std::get_if<Event>(&event)) found.push_back(*e);
    return found;
  }

 private:
  Reaction react_;
  mutable std::mutex mutex_;
  std::vector<base::TrainingEvent> events_;
};

/// No file may grow beyond so many bytes while it lives: what a full disk looks like to the writer of one.
class NoSpaceBeyond {
 public:
  explicit NoSpaceBeyond(rlim_t bytes) : handler_(::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit small{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &small);
  }
  ~NoSpaceBeyond() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    ::signal(SIGXFSZ, handler_);
  }
  NoSpaceBeyond(const NoSpaceBeyond&) = delete;
  NoSpaceBeyond& operator=(const NoSpaceBeyond&) = delete;

 private:
  rlimit before_{};
  sighandler_t handler_;
};

bool isStep(const base::TrainingEvent& event, const char* stage, std::int64_t number) {
  const auto* step = std::get_if<base::StepCompleted>(&event);
  return step && step->stage == stage && step->step == number;
}

/// What half-written checkpoints are called.
std::vector<fs::path> temporariesIn(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code code;  // a name may vanish while it is looked at
  for (auto it = fs::recursive_directory_iterator(folder, code); !code && it != fs::end(it); it.increment(code))
    if (it->path().filename().string().starts_with(base::kTemporaryPrefix)) found.push_back(it->path());
  return found;
}

std::uintmax_t largestFileIn(const fs::path& folder) {
  std::uintmax_t largest = 0;
  for (const auto& entry : fs::directory_iterator(folder)) largest = std::max(largest, entry.file_size());
  return largest;
}

/// What is wrong with the checkpoints of a run; empty when each can be gone on from.
std::string damageIn(const fs::path& folder) {
  const auto all = base::listCheckpointFacts(folder);
  if (!all) return all.error().message;
  if (all->empty()) return "there is no checkpoint";
  for (const auto& facts : *all) {
    if (!facts.problem.empty()) return facts.relative_path + ": " + facts.problem;
    const auto check = base::checkCheckpoint(folder / facts.relative_path);
    if (!check) return check.error().message;
    if (!check->finding.empty()) return facts.relative_path + ": " + check->finding;
  }
  return {};
}

}  // namespace

class TestRunTransitions : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase() {
    void* library = dlopen(TRAINING_HOST, RTLD_NOW | RTLD_LOCAL);
    QVERIFY2(library, dlerror());
    create_ = reinterpret_cast<base::CreateTrainingHost>(dlsym(library, base::kCreateTrainingHostSymbol));
    QVERIFY(create_);
    preset_ = testing::writeTinyPreset(temporary_.path().toStdString());
    host_.reset(create_());
    const auto witness = std::make_shared<Witness>();
    QVERIFY(host_->start(newRun("undisturbed"), witness).ok());
    QVERIFY(waitForTheEnd());
    QCOMPARE(state(), std::string("finished"));
  }
  void init() { host_.reset(create_()); }
  void cleanup() { host_.reset(); }

  void stoppedWhileACheckpointIsBeingSaved() {
    // Another thread looks for the half-written folder and stops the run while it is there. On a busy machine it may
    // get its turn too late: then another run is tried.
    constexpr int kTries = 5;
    for (int k = 0; k < kTries; ++k) {
      const std::string name = "saving-" + std::to_string(k);
      const auto place = folder(name) / "encoder/checkpoints";
      std::atomic<bool> may_look = false, is_caught = false;
      std::jthread watcher([&](const std::stop_token& stop) {
        while (!stop.stop_requested() && !is_caught) {
          if (!may_look || temporariesIn(place).empty()) continue;
          host_->send(base::StopAndSave{});
          is_caught = !temporariesIn(place).empty();  // it was still being written when the command had been given
        }
      });
      const auto witness = std::make_shared<Witness>([&](const base::TrainingEvent& event) {
        if (isStep(event, "encoder", 2)) may_look = true;
      });
      QVERIFY(host_->start(newRun(name), witness).ok());
      QVERIFY(waitForTheEnd());
      watcher.request_stop();
      watcher.join();
      if (!is_caught || state() != "stopped") continue;
      QCOMPARE(witness->all<base::RunFinished>().at(0).outcome, std::string("stopped"));
      const auto saved = witness->all<base::CheckpointSaved>();
      QVERIFY(saved.size() >= 2);  // the one that was being written, and the one of the stop
      // The stop may come to a stage that has only begun.
      QVERIFY(saved.back().stage != saved.front().stage || saved.back().step > saved.front().step);
      QVERIFY(wentOnToTheSameWeights(name));
      return;
    }
    QFAIL("no checkpoint was seen while it was being written");
  }

  void theWindowClosesWhileAStageChanges_data() {
    QTest::addColumn<QString>("moment");
    for (const char* moment : {"a stage finished", "the next started", "the last finished"})
      QTest::newRow(moment) << QString::fromLatin1(moment);
  }
  void theWindowClosesWhileAStageChanges() {
    QFETCH(QString, moment);
    const std::string name = moment.toStdString();
    const auto is_moment = [&](const base::TrainingEvent& event) {
      const auto* finished = std::get_if<base::StageFinished>(&event);
      const auto* started = std::get_if<base::StageStarted>(&event);
      if (moment == QStringLiteral("the next started")) return started && started->stage == "decoder";
      return finished && finished->stage == (moment == QStringLiteral("a stage finished") ? "encoder" : "decoder");
    };
    std::atomic<bool> is_changing = false, is_closing = false;
    const auto witness = std::make_shared<Witness>([&](const base::TrainingEvent& event) {
      if (is_changing || !is_moment(event)) return;
      is_changing = true;
      while (!is_closing) std::this_thread::yield();
      std::this_thread::sleep_for(std::chrono::milliseconds(100));  // the command of the one that closes is there
    });
    QVERIFY(host_->start(newRun(name), witness).ok());
    QVERIFY(QTest::qWaitFor([&] { return is_changing.load(); }, kPatienceMs));
    is_closing = true;
    host_.reset();  // as the window does when it goes: it returns when the run has saved and every thread has ended
    const auto ends = witness->all<base::RunFinished>();
    QCOMPARE(ends.size(), std::size_t{1});
    // Behind the last stage nothing is left to stop.
    QCOMPARE(ends[0].outcome, std::string(moment == QStringLiteral("the last finished") ? "finished" : "stopped"));
    QVERIFY(witness->all<base::RunFailed>().empty());
    for (const auto& step : witness->all<base::StepCompleted>())
      if (moment != QStringLiteral("the last finished")) QCOMPARE(step.stage, std::string("encoder"));
    host_.reset(create_());
    QVERIFY(wentOnToTheSameWeights(name));
  }

  void theDiskIsFullWhenACheckpointIsSaved_data() {
    QTest::addColumn<bool>("at_a_stop");
    QTest::newRow("in its time") << false;
    QTest::newRow("at a stop") << true;
  }
  void theDiskIsFullWhenACheckpointIsSaved() {
    QFETCH(bool, at_a_stop);
    const std::string name = at_a_stop ? "full_at_a_stop" : "full";
    std::unique_ptr<NoSpaceBeyond> full;
    const auto witness = std::make_shared<Witness>([&](const base::TrainingEvent& event) {
      const auto* saved = std::get_if<base::CheckpointSaved>(&event);
      if (!saved || full) return;
      full = std::make_unique<NoSpaceBeyond>(largestFileIn(folder(name) / saved->path) - 1);
      if (at_a_stop) host_->send(base::StopAndSave{});
    });
    QVERIFY(host_->start(newRun(name), witness).ok());
    QVERIFY(waitForTheEnd());
    QVERIFY(full);
    full.reset();  // somebody made room
    QCOMPARE(state(), std::string("failed"));
    const auto failed = witness->all<base::RunFailed>();
    QCOMPARE(failed.size(), std::size_t{1});
    QVERIFY(!failed[0].is_diverged);
    QCOMPARE(failed[0].stage, std::string("encoder"));
    QVERIFY2(failed[0].what.find("free some space, nothing that was saved before is lost") != std::string::npos,
             failed[0].what.c_str());
    QVERIFY2(failed[0].what.find("encoder/checkpoints/") != std::string::npos, failed[0].what.c_str());
    QCOMPARE(witness->all<base::CheckpointSaved>().size(), std::size_t{1});
    host_.reset(create_());
    // The record tells what happened, though there may have been no room for it either at the time.
    const auto record = base::readAllEvents(folder(name) / "events.jsonl");
    QVERIFY2(record.ok(), record.ok() ? "" : record.error().message.c_str());
    int num_told = 0;
    for (const auto& each : *record) num_told += std::holds_alternative<base::RunFailed>(each.event);
    QCOMPARE(num_told, 1);
    QVERIFY(wentOnToTheSameWeights(name));
  }

 private:
  fs::path folder(const std::string& name) const { return fs::path(temporary_.path().toStdString()) / name; }

  base::RunRequest newRun(const std::string& name) const {
    return {folder(name).string(), preset_, {"stages=[encoder, decoder]"}, false, {}};
  }

  std::string state() const { return std::string(base::toString(host_->state())); }

  bool waitForTheEnd() const {
    return QTest::qWaitFor([this] { return base::isEnded(host_->state()); }, kPatienceMs);
  }

  /// Whether what lies in the folder is whole, and the run, continued, ends as the one that nobody disturbed.
  bool wentOnToTheSameWeights(const std::string& name) {
    const auto holds = [&](bool is_true, const std::string& what) {
      if (!is_true) qWarning("%s: %s", name.c_str(), what.c_str());
      return is_true;
    };
    const auto damage = damageIn(folder(name));
    if (!holds(damage.empty(), damage)) return false;
    if (const auto left = temporariesIn(folder(name)); !left.empty())
      return holds(false, "half-written and left: " + left.front().string());
    const auto witness = std::make_shared<Witness>();
    const auto begun = host_->start({folder(name).string(), {}, {}, false, {}}, witness);
    if (!holds(begun.ok(), begun.ok() ? "" : begun.error().message)) return false;
    if (!holds(waitForTheEnd() && host_->state() == base::RunState::kFinished, "it did not finish")) return false;
    for (const char* stage : {"encoder", "decoder"}) {
      const auto whole = base::RunFolder::open(folder("undisturbed"))->listCheckpoints(stage);
      const auto after = base::RunFolder::open(folder(name))->listCheckpoints(stage);
      if (!holds(!after.empty() && after.back().step == whole.back().step, std::string(stage) + " did not end"))
        return false;
      for (const char* file : {"model.safetensors", "ema.safetensors", "optimizer.safetensors"})
        if (!holds(base::readFile(after.back().path / file).value() == base::readFile(whole.back().path / file).value(),
                   std::string(stage) + " ended with other values in " + file))
          return false;
    }
    return true;
  }

  QTemporaryDir temporary_;
  std::string preset_;
  base::CreateTrainingHost create_ = nullptr;
  std::unique_ptr<base::TrainingHost> host_;
};
STUDIO_TEST(TestRunTransitions)
#include "tst_run_transitions.moc"
