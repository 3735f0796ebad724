// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/config/sampling_config.h"
#include "core/base/events/command.h"
#include "core/base/events/diagnostic_event.h"
#include "core/base/events/event_sink.h"
#include "core/base/result.h"
#include "core/base/run/checkpoint_export.h"
#include "core/base/run/checkpoint_finding.h"
#include "core/base/run/cost_estimate.h"
#include "core/base/run/data_browse.h"
#include "core/base/run/preflight_report.h"

namespace meanflow::base {

/// A checkpoint of a run that a new one goes on from.
struct BranchPoint {
  std::string parent;  ///< Run folder.
  std::string stage;
  std::int64_t step = 0;  ///< Reached from the checkpoint at or before it by training on as the parent did.
};

/// What to run: a new run folder, or one to resume (its own config.yaml is then used and `config` may be empty).
struct RunRequest {
  std::string run_folder;
  std::string config;                  ///< Preset name or path of a YAML file.
  std::vector<std::string> overrides;  ///< KEY=VALUE
  bool start_paused = false;
  std::optional<BranchPoint> branch;  ///< A new folder that takes its configuration from the parent; `config` is empty.
};

/// Where an image is on the way from its own noise and class to others.
struct SampleBlend {
  double share = 0;                         ///< 0 = its own, 1 = the other ones.
  std::uint64_t seed = 0, noise_index = 0;  ///< The other noise; the way between the two is on the sphere.
  std::int64_t label = -1;  ///< The other class, by straight mixture of the label embeddings; -1 = none.
};

/// Images to make from a run's newest weights (or those of one checkpoint).
struct SampleRequest {
  std::int64_t id = 0;  ///< A newer request with another id cancels this one.
  std::string run_folder;
  std::string checkpoint;            ///< STAGE/checkpoints/step_N relative to the run folder; empty = newest weights.
  std::vector<std::int64_t> labels;  ///< One image each.
  std::vector<std::uint64_t> noise_indices;  ///< Same length: the noise of image k is (seed, noise_indices[k]).
  std::uint64_t seed = 0;
  /// Truncation psi in [0, 1]: the noise is multiplied by it. 1 = as in training; less gives tamer, more alike images.
  double noise_scale = 1;
  std::vector<SampleBlend> blends;  ///< Empty, or one an image.
  int nfe = 1;                      ///< Network evaluations of the student; solver steps of the teacher.
  bool use_teacher = false;
  double guidance_scale = 1;                      ///< Teacher only.
  double guidance_t_min = 0, guidance_t_max = 1;  ///< Times at which it is guided.
  bool use_ema = true;
  /// Solver of the teacher's equation, weaker network of AutoGuidance; absent = `sampling` of the run's configuration.
  std::optional<SamplingConfig> solver;
};
struct SampleResult {
  std::int64_t id = 0;
  int index = 0;  ///< Which image of the request.
  bool is_last = false;
  double latency_ms = 0;  ///< Since the request was made.
  std::shared_ptr<const Image8> image;
  std::string error;  ///< Not empty: the request failed, image is absent.
};

/// Dry steps of a configuration, written nowhere.
struct PreflightRequest {
  std::string config;      ///< YAML text.
  std::string run_folder;  ///< Where the run would be: its disk is looked at.
};
/// Progress while it goes on, then the report once.
struct PreflightNews {
  PreflightProgress progress;
  std::shared_ptr<const PreflightReport> report;  ///< Null before the end.
};

/// What a second look at a step found; `error` in its place when there was none.
struct ReplayOutcome {
  DiagnosisReady found;
  std::string error;
  bool is_cancelled = false;  ///< There was none because it was cancelled.
};

/// What the window asks of the training library. The studio opens the library after its first frame, so this interface
/// lives here and knows no tensor. All functions return at once; answers come through the sink and the callback, both
/// called on worker threads.
class TrainingHost {
 public:
  virtual ~TrainingHost() = default;  ///< Stops and saves a live run, joins every thread.
  virtual Result<void> start(const RunRequest& request, std::shared_ptr<EventSink> sink) = 0;
  virtual void send(const Command& command) = 0;
  virtual RunState state() const = 0;
  virtual void requestSamples(const SampleRequest& request, std::function<void(const SampleResult&)> deliver) = 0;

  /// What the configuration in `config` (YAML text) is expected to take on `device` ("cpu", "cuda:0").
  virtual void estimateCost(const std::string& config, const std::string& device,
                            std::function<void(const CostEstimate&)> deliver);
  virtual void inspectCheckpoint(const CheckpointQuestion& question,
                                 std::function<void(const CheckpointFinding&)> deliver);
  /// Classes and images of a data set, reconstructions, latent statistics. A newer question makes one that waits void:
  /// its answer never comes.
  virtual void browseData(const DataQuestion& question, std::function<void(const DataAnswer&)> deliver);
  /// One at a time, and not beside a run, whose speed it would measure. What is wrong with the configuration comes in
  /// the report; the error says why nothing was begun.
  virtual Result<void> startPreflight(const PreflightRequest& request,
                                      std::function<void(const PreflightNews&)> deliver);
  /// Trains again to step `at.step` of a stage from the checkpoint before it, aside, and looks into that step. One at a
  /// time, and not beside a run.
  virtual Result<void> startReplay(const BranchPoint& at, std::function<void(const ReplayOutcome&)> deliver);
  virtual void cancelPreflight() {}  ///< The report still comes, with what was measured.
  /// The replay that is going on ends after its step, or the batch of data that it reads or encodes; its outcome still
  /// comes, `is_cancelled` unless it was done by then.
  virtual void cancelReplay() {}
  /// Writes a checkpoint for other programs, on a thread of its own; one at a time. A host that cannot says so.
  virtual void exportCheckpoint(const ExportOrder&, std::function<void(const ExportOutcome&)> done) {
    ExportOutcome outcome;
    outcome.error = "this training library cannot export checkpoints";
    done(outcome);
  }
};

/// Symbol exported by the training library (libstudio_training_host.so).
using CreateTrainingHost = TrainingHost* (*)();
inline constexpr const char* kCreateTrainingHostSymbol = "meanflow_create_training_host";

}  // namespace meanflow::base
