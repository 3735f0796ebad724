// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

#include "core/base/config/run_config.h"
#include "core/base/events/fan_out_sink.h"
#include "core/base/run/inbox.h"
#include "core/base/run/run_folder.h"
#include "training/run/command_queue.h"
#include "training/stages/networks.h"
#include "training/workers/worker.h"

namespace meanflow::training {

class LivePainter;
class SamplingWorker;

/// What all ranks do at a step boundary, decided by the leader.
enum class Control : int { kContinue = 0, kPause, kStopAndSave, kDiscard, kSaveNow, kChangeSetting };

/// Leaving a run before its end; carried as an exception through the stages, caught by TrainingRun.
struct RunInterrupted {
  bool is_saved = true;
};

/// Where a run leaves the way of its parent.
struct Fork {
  std::string stage;
  std::int64_t step = 0;
  bool is_replay = false;  ///< The step after it is looked into, and nothing saved.
};
/// Thrown through the stages when the fork has been reached and saved, or the step after it looked into.
struct ForkReached {};

/// A non-finite loss or gradient; what() names the step and the tensor.
struct Diverged : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// What the stages of one run share: folder, events, commands, state. Events are published by the leading worker only.
class RunContext {
 public:
  RunContext(const base::RunFolder& folder, base::FanOutSink& events, CommandQueue& commands);

  const base::RunFolder& folder() const { return folder_; }
  void publish(base::TrainingEvent event) const;
  void log(const std::string& level, const std::string& text) const;

  base::RunState state() const { return state_.load(); }
  /// Publishes StateChanged; throws std::logic_error on a transition that run_state.h does not allow.
  void setState(base::RunState next);

  /// The leader's decision for this step boundary: from the queue, then from the run folder's inbox (looked at twice a
  /// second at most). A ChangeSetting waits in takeSetting().
  Control pollControl();
  /// Blocks up to 200 ms for the next decision while paused.
  Control waitControl();
  base::ChangeSetting takeSetting();

  /// The stage being worked on, for messages; set by the leader.
  void setStage(const std::string& stage);
  std::string currentStage() const;
  /// Steps of that stage done so far; set by the leader.
  void setStep(std::int64_t step) { step_ = step; }
  std::int64_t currentStep() const { return step_; }

  std::string run_name;      ///< For reports: the folder's, but of a replay that of the run which is replayed.
  std::optional<Fork> fork;  ///< Both set before the workers start.
  bool isFork(const std::string& stage, std::int64_t step) const {
    return fork && !fork->is_replay && fork->stage == stage && fork->step == step;
  }
  bool isReplayed(const std::string& stage, std::int64_t step) const {
    return fork && fork->is_replay && fork->stage == stage && fork->step + 1 == step;
  }

  /// Of who waits for the end of a run that nobody sends commands; set before the workers start.
  std::stop_token stop;
  /// Called in what takes long between steps, where no command is taken: throws RunInterrupted once `stop` was asked
  /// for.
  void leaveIfStopped() const {
    if (stop.stop_requested()) throw RunInterrupted{false};
  }

  /// What stages take for networks that nobody has trained yet.
  IfMissing if_missing = IfMissing::kRefuse;
  SamplingWorker* sampling = nullptr;    ///< Makes live pictures; may be null.
  std::shared_ptr<LivePainter> painter;  ///< What the sampling worker paints with; may be null.

 private:
  Control decide(const base::Command& command);

  const base::RunFolder& folder_;
  base::FanOutSink& events_;
  CommandQueue& commands_;
  base::Inbox inbox_;
  mutable std::mutex stage_mutex_;
  std::string stage_;
  std::atomic<std::int64_t> step_{0};
  std::atomic<base::RunState> state_{base::RunState::kIdle};
  base::ChangeSetting setting_;
  std::chrono::steady_clock::time_point inbox_checked_{};
};

}  // namespace meanflow::training
