// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "core/base/config/config_io.h"
#include "core/base/events/fan_out_sink.h"
#include "core/base/run/run_folder.h"
#include "core/base/run/training_host.h"
#include "training/run/command_queue.h"
#include "training/sampling/sampling_worker.h"

namespace meanflow::training {

class RunContext;

enum class RunEnd { kFinished, kStopped, kDiscarded };

/// One run of a pipeline over a run folder: new, or continued where the folder stands. Owns the workers' threads while
/// run() is in progress and the sampling worker for its whole life.
class TrainingRun {
 public:
  /// Makes or opens the run folder, takes its lock, reads the configuration. `sinks` receive every event beside
  /// events.jsonl, the TensorBoard file and log.txt. Errors: a bad configuration, a folder that is not a run or is in
  /// use, no permission.
  static base::Result<std::unique_ptr<TrainingRun>> prepare(const base::RunRequest& request,
                                                            std::vector<std::shared_ptr<base::EventSink>> sinks);
  ~TrainingRun();

  /// Runs the stages that are left, in the calling thread and the workers'. What goes wrong is published as RunFailed
  /// and returned (kind kDiverged for a divergence).
  base::Result<RunEnd> run();

  /// Of a run made by createBranch: trains as its parent did up to the branch point, with this run's diagnostics and
  /// log_every, and looks into the step behind it (DiagnosisReady). Nothing is trained after that. `stop` is taken
  /// between steps, and while data are read and encoded.
  base::Result<void> replay(const std::stop_token& stop = {});

  /// From any thread; taken between steps.
  void send(const base::Command& command) { commands_.push(command); }
  base::RunState state() const;
  const base::RunConfig& config() const { return config_; }
  const base::RunFolder& folder() const { return folder_; }
  SamplingWorker& sampling() { return sampling_; }

 private:
  TrainingRun(base::RunFolder folder, base::RunConfig config, bool is_resumed, bool start_paused,
              std::vector<std::shared_ptr<base::EventSink>> sinks);
  /// A run that left another first trains as that one did, to the step where they part.
  void goThroughBranch();
  void trainAndReport();
  /// One event for each setting that this process goes on with another value of.
  void announceChangedSettings() const;

  base::RunFolder folder_;
  base::RunConfig config_;
  bool is_resumed_;
  std::vector<base::ConfigDifference> changed_;  ///< By the overrides of a resumed run.
  std::shared_ptr<base::FanOutSink> events_;
  CommandQueue commands_;
  SamplingWorker sampling_;
  std::unique_ptr<RunContext> context_;
};

}  // namespace meanflow::training
