// SPDX-License-Identifier: Apache-2.0
//
// What a run says while it runs. Plain values: safe to hand to another thread and to write to disk. The same stream
// feeds events.jsonl, TensorBoard, the console and the studio; a recorded run is replayed through the same panels.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/base/events/diagnostic_event.h"
#include "core/base/image.h"

namespace meanflow::base {

/// The states of a run. Transitions are listed in core/base/run/run_state.h.
enum class RunState { kIdle, kStarting, kRunning, kPausing, kPaused, kStopping, kStopped, kFinished, kFailed };

struct Scalar {
  std::string name;  ///< TensorBoard-style tag without the stage: "loss", "grad_norm", "lr", "throughput".
  double value = 0;
  bool operator==(const Scalar&) const = default;
};

/// First event of every process that works on a run (again after a resume).
struct RunStarted {
  std::string run_name;
  std::uint64_t seed = 0;
  std::string device;  ///< "cpu" or "cuda:0".
  int num_workers = 1;
  bool is_resumed = false;
  std::vector<std::string> stages;        ///< In order: encoder, decoder, teacher, cmt, mean_flow.
  std::vector<std::int64_t> stage_steps;  ///< Planned optimizer steps of each stage.
  std::vector<std::string> class_names;   ///< Row names of sample grids; may be empty.
};
struct StateChanged {
  RunState state = RunState::kIdle;
};
struct StageStarted {
  std::string stage;
  std::int64_t step = 0;  ///< Steps already done (> 0 after a resume). Points of this stage beyond it are void.
  std::int64_t total_steps = 0;
  std::int64_t num_parameters = 0;
};
/// One optimizer step, or the mean over the reporting window ending at `step`.
struct StepCompleted {
  std::string stage;
  std::int64_t step = 0;  ///< Optimizer steps finished in this stage.
  std::int64_t images_seen = 0;
  std::vector<Scalar> scalars;  ///< loss, grad_norm (before clipping), lr, and what the objective adds.
  double seconds_per_step = 0;  ///< Wall time, smoothed.
  double images_per_second = 0;
  double eta_seconds = -1;  ///< To the end of this stage; < 0 when unknown.
  bool is_clipped = false;
};
/// A grid of images, one row a class, the same noise at every step. `path` is relative to the run folder.
struct SamplesReady {
  std::string stage;
  std::int64_t step = 0;
  std::string path;
  std::string what;  ///< "one_step", "two_step", "teacher", "reconstruction".
  int nfe = 1;
  bool is_ema = true;
  int rows = 0, columns = 0;  ///< Cells of the grid; each cell is width/columns by height/rows pixels.
  std::vector<std::string> row_labels;
  double cost_ms = 0;                  ///< What making it took from training.
  std::shared_ptr<const Image8> grid;  ///< Absent when read back from disk: load `path`.
};
/// A teacher ODE trajectory for one noise and class, decoded at every knot.
struct TrajectoryReady {
  std::string stage;
  std::int64_t step = 0;
  std::string path;  ///< PNG strip of the decoded knots, relative to the run folder.
  int label = 0;
  std::string label_name;
  std::vector<float> times;         ///< [N] solver times, 1 (noise) first.
  std::vector<float> pca_x, pca_y;  ///< [N] projections on the first two principal components of the path.
  std::vector<float> speed;         ///< [N-1] root-mean-square of v at the knots.
  std::vector<float>
      jump_error;  ///< [N] relative L2 error of the student's jump from each knot to the end; may be empty.
  std::vector<float> jump_x,
      jump_y;  ///< [N] where the student's jump from each knot lands, same projection; may be empty.
  std::shared_ptr<const Image8> frames;  ///< N cells in a row; absent when read back from disk.
};
/// Errors of the student's jump t_i -> t_j against the teacher's path, relative L2, row-major [n, n], NaN where unused.
struct CmtMatrixReady {
  std::string stage;
  std::int64_t step = 0;
  std::vector<float> times;        ///< [n] solver times, descending.
  std::vector<float> errors;       ///< [n * n], entry (i, j) = jump from times[i] to times[j], j > i.
  std::string reference = "path";  ///< "path": the teacher's path that CMT learns; "fine": its fine solution.
};
/// Named results of an evaluation, e.g. {"psnr_test", 22.4}.
struct MetricsReady {
  std::string stage;
  std::int64_t step = 0;
  std::vector<Scalar> metrics;
};
struct CheckpointSaved {
  std::string stage;
  std::int64_t step = 0;
  std::string path;  ///< Folder, relative to the run folder.
  std::int64_t bytes = 0;
  double seconds = 0;
};
struct SettingChanged {
  std::string stage;
  std::int64_t step = 0;
  std::string key, old_value, new_value;
};
struct StageFinished {
  std::string stage;
  std::int64_t step = 0;
  double wall_seconds = 0;  ///< Over all processes that worked on the stage.
  double cpu_seconds = 0;
};
/// What watching (live samples, trajectories) has cost so far, as a fraction of training time.
struct WatchingCost {
  double fraction = 0;
  double budget = 0;
};
struct LogMessage {
  std::string level;
  std::string text;
};  ///< level: error, warn, info, debug.
/// Work other than training steps, such as scoring: `done` of `total` of `what`.
struct Progress {
  std::string what;
  double done = 0;
  double total = 0;
};
struct RunFailed {
  std::string stage;
  std::int64_t step = 0;
  std::string what;
  bool is_diverged = false;
};
struct RunFinished {
  std::string outcome;
};  ///< "finished", "stopped", "preempted".

using TrainingEvent =
    std::variant<RunStarted, StateChanged, StageStarted, StepCompleted, SamplesReady, TrajectoryReady, CmtMatrixReady,
                 MetricsReady, CheckpointSaved, SettingChanged, StageFinished, WatchingCost, LogMessage, Progress,
                 RunFailed, RunFinished, BlockFiguresReady, VelocityResidualsReady, TimeFiguresReady,
                 DerivativeHealthReady, AlarmRaised, DiagnosisReady, RunBranched>;

/// An event with its place in the stream.
struct EventRecord {
  std::int64_t sequence = 0;  ///< 0, 1, 2, ... over the life of the run folder.
  double unix_seconds = 0;    ///< When it was published.
  TrainingEvent event;
};

}  // namespace meanflow::base
