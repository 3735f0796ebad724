// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/events/training_event.h"

namespace meanflow::ui {

enum class StageState { kWaiting, kRunning, kPaused, kDone, kStopped, kFailed };

/// What is known of one stage from the events so far.
struct StageSummary {
  std::string name;
  StageState state = StageState::kWaiting;
  std::int64_t step = 0;
  std::int64_t total_steps = 0;
  std::int64_t num_parameters = 0;
  double seconds_per_step = 0;
  double images_per_second = 0;
  double eta_seconds = -1;  ///< < 0: unknown.
  double last_loss = std::numeric_limits<double>::quiet_NaN();
  double wall_seconds = 0;  ///< Known once the stage has finished.
};

/// Something that happened at one step and deserves a mark on the curves and the time line.
struct Milestone {
  enum class Kind {
    kCheckpoint,
    kSamples,
    kSettingChanged,
    kResumed,
    kFailed,
    kWarning,  ///< An alarm that the run did nothing about.
    kSkipped,  ///< A step that an alarm kept from being applied.
    kAlarm,    ///< An alarm that made the run roll back or stop.
    kBranched  ///< Where the run left its parent.
  };
  Kind kind = Kind::kCheckpoint;
  std::string stage;
  std::int64_t step = 0;
  std::string text;
};

/// Whether a mark says that something left its normal range.
inline bool isAlarmMark(Milestone::Kind kind) {
  return kind == Milestone::Kind::kWarning || kind == Milestone::Kind::kSkipped || kind == Milestone::Kind::kAlarm;
}

/// A position in a run: a step of one of its stages.
struct StepCursor {
  std::string stage;
  std::int64_t step = 0;
  bool operator==(const StepCursor&) const = default;
};

/// The steps of all stages laid end to end on one axis, by their planned lengths.
class StepAxis {
 public:
  struct Span {
    std::string stage;
    std::int64_t begin = 0;
    std::int64_t length = 0;
  };
  void setStages(const std::vector<StageSummary>& stages);
  const std::vector<Span>& spans() const { return spans_; }
  std::int64_t end() const { return spans_.empty() ? 0 : spans_.back().begin + spans_.back().length; }
  /// Place of a step on the axis; 0 for an unknown stage.
  std::int64_t position(std::string_view stage, std::int64_t step) const;
  /// The step at a place; the end of a stage belongs to that stage. Places outside are clamped.
  StepCursor at(std::int64_t position) const;

 private:
  std::vector<Span> spans_;
};

/// The state of a run as its events tell it: a fold over the stream, the same for a live and a recorded run.
struct RunSummary {
  bool has_started = false;
  base::RunState state = base::RunState::kIdle;
  std::string run_name, device;
  std::uint64_t seed = 0;
  int num_workers = 0;
  std::vector<StageSummary> stages;
  std::vector<std::string> class_names;
  int current_stage = -1;
  std::vector<Milestone> milestones;  ///< In order of arrival; those voided by a resume are removed.
  std::optional<StepCursor> last_saved;
  double watching_fraction = 0, watching_budget = 0;
  base::Progress progress;  ///< Work other than steps; empty `what` when there is none.
  std::string failure;
  bool is_diverged = false;
  std::string outcome;
  double started_unix = 0, last_event_unix = 0;

  void apply(const base::EventRecord& record);
  /// Where the run is now: the newest step of the stage that was worked on last.
  std::optional<StepCursor> head() const;
  /// Steps that would be lost if the run ended now; 0 when all is saved.
  std::int64_t unsavedSteps() const;
  StageSummary* find(std::string_view stage);
};

}  // namespace meanflow::ui
