// SPDX-License-Identifier: Apache-2.0
#include "training/diagnostics/replay.h"

#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <limits>
#include <map>
#include <optional>

#include "core/base/events/event_log.h"
#include "core/base/events/event_sink.h"
#include "core/base/run/run_folder.h"
#include "training/run/training_run.h"

namespace meanflow::training {
namespace {

namespace fs = std::filesystem;

/// Of one stage: what a replay is held against.
class LossKeeper final : public base::EventSink {
 public:
  explicit LossKeeper(std::string stage) : stage_(std::move(stage)) {}
  void publish(const base::EventRecord& record) override {
    if (const auto* found = std::get_if<base::DiagnosisReady>(&record.event)) diagnosis = *found;
    const auto* step = std::get_if<base::StepCompleted>(&record.event);
    if (!step || step->stage != stage_) return;
    for (const auto& scalar : step->scalars)
      if (scalar.name == "loss") losses[step->step] = scalar.value;
  }
  std::map<std::int64_t, double> losses;
  std::optional<base::DiagnosisReady> diagnosis;

 private:
  std::string stage_;
};

/// A folder beside the run, on the same disk so that checkpoints are shared; gone with this object.
class PlaceToReplay {
 public:
  explicit PlaceToReplay(const fs::path& run)
      : path_(run.parent_path() / (".replay-" + run.filename().string() + "-" + std::to_string(::getpid()))) {}
  ~PlaceToReplay() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  PlaceToReplay(const PlaceToReplay&) = delete;
  PlaceToReplay& operator=(const PlaceToReplay&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

/// The largest relative difference of the recorded losses, means over the steps since the report before, from the same
/// means of the replayed ones. NaN when none can be compared.
double largestDifference(const std::map<std::int64_t, double>& recorded,
                         const std::map<std::int64_t, double>& replayed) {
  double largest = std::numeric_limits<double>::quiet_NaN();
  std::int64_t before = 0;
  for (const auto& [step, loss] : recorded) {
    double sum = 0;
    std::int64_t count = 0;
    for (auto at = replayed.upper_bound(before); at != replayed.end() && at->first <= step; ++at)
      sum += at->second, ++count;
    if (count == step - before) {
      const double mean = sum / static_cast<double>(count);
      const double difference = mean == loss ? 0 : std::abs(mean - loss) / std::abs(loss);
      if (!(difference <= largest)) largest = difference;
    }
    before = step;
  }
  return largest;
}

}  // namespace

base::Result<base::DiagnosisReady> replayStep(const base::BranchPoint& at, const std::stop_token& stop) {
  if (at.step < 1)
    return base::Error{"steps are counted from 1: there is no step " + std::to_string(at.step) + " to replay",
                       base::ErrorKind::kUsage};
  const auto run = base::RunFolder::open(at.parent);
  if (!run) return run.error();
  LossKeeper recorded(at.stage);
  if (const auto events = base::readAllEvents(run->events()))
    for (const auto& record : *events) recorded.publish(record);
  if (stop.stop_requested()) return base::Error{"the replay was stopped"};  // a long log takes a while to read
  const PlaceToReplay place(run->root());
  const auto replayed = std::make_shared<LossKeeper>(at.stage);
  base::RunRequest request;
  request.run_folder = place.path().string();
  request.branch = base::BranchPoint{at.parent, at.stage, at.step - 1};
  // Pictures and measurements take time and change nothing; every loss is reported, to be compared.
  request.overrides = {"diagnostics.residuals_every=0", "diagnostics.derivative_every=0",
                       "diagnostics.jump_map_every=0", at.stage + ".training.sample_every=0",
                       at.stage + ".training.log_every=1"};
  auto prepared = TrainingRun::prepare(request, {replayed});
  if (!prepared) return prepared.error();
  const auto ended = (*prepared)->replay(stop);
  if (!ended) return ended.error();
  if (!replayed->diagnosis) return base::Error{"the replay ended without a finding"};
  auto found = *replayed->diagnosis;
  found.replay_error = largestDifference(recorded.losses, replayed->losses);
  const auto name = base::stepName(at.step) + "_replay";
  const auto target = run->diagnostics(at.stage) / name;
  std::error_code code;
  fs::remove_all(target, code);
  fs::create_directories(target.parent_path(), code);
  fs::rename(place.path() / found.report, target, code);
  if (code) return base::Error{"cannot write " + target.string() + ": " + code.message()};
  found.report = target.string();
  return found;
}

}  // namespace meanflow::training
