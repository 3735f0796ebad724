// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <torch/nn/module.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/base/config/run_config.h"
#include "core/objectives/loss_terms.h"

namespace meanflow::training {

class Workspace;
class RunContext;
class Worker;
struct ProbeSet;

/// Who the members of a batch are.
struct BatchMembers {
  std::vector<std::int64_t> samples;  ///< Numbers of the training samples; of trajectories in CMT.
  std::vector<std::int64_t> labels;   ///< Before any label drop.
  std::uint64_t noise_seed = 0;       ///< Seed of the stage's random streams.
};

/// One worker's part of a stage: its network, data and objective. The loop around it (step_loop.h) does backward,
/// reduction, clipping, optimiser, EMA, events and checkpoints.
class StageTask {
 public:
  virtual ~StageTask() = default;

  virtual std::string name() const = 0;
  virtual const base::TrainingConfig& settings() const = 0;
  /// The network being trained; what is checkpointed and averaged.
  virtual std::shared_ptr<torch::nn::Module> module() = 0;
  /// Called on every rank before the first step of this process, at the step training (re)starts from.
  virtual void begin(std::int64_t step) { (void)step; }
  /// Mean loss over the samples at `positions` of the global batch of 0-based step `step`. Randomness depends on (seed,
  /// step, position) alone.
  virtual core::LossTerms loss(std::int64_t step, std::span<const std::int64_t> positions) = 0;
  /// The samples that loss() uses for the same arguments.
  virtual BatchMembers members(std::int64_t step, std::span<const std::int64_t> positions) = 0;
  /// What its network can be measured on between steps (training/diagnostics/probe_set.h); null where there is nothing.
  /// Called on the leader alone, after a step on all ranks.
  virtual std::shared_ptr<const ProbeSet> probes() { return nullptr; }
  /// Writes into the stage's folder what later stages need beside the weights. Leader only, at the end.
  virtual void finish() {}
};

/// Builds the task of a stage by name ("encoder", ..., "mean_flow", "control").
std::unique_ptr<StageTask> makeStageTask(const std::string& stage, Workspace& workspace);

}  // namespace meanflow::training
