// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "core/base/run/run_folder.h"
#include "training/optim/adamw.h"
#include "training/optim/ema.h"

namespace meanflow::training {

/// What state.json of a checkpoint says beside the tensors.
struct StageProgress {
  std::int64_t step = 0;  ///< Optimizer steps done.
  std::int64_t total_steps = 0;
  std::int64_t images_seen = 0;
  double wall_seconds = 0;  ///< Training time of this stage over all processes, without pauses.
  double cpu_seconds = 0;
  bool has_optimizer = true;  ///< False for an imported checkpoint whose file had no usable optimiser state.
  bool isFinished() const { return total_steps >= 0 && step >= total_steps; }
};

/// A stage's network with its average and optimiser, as they are saved and restored together.
struct TrainingState {
  torch::nn::Module& module;
  Ema& ema;
  AdamW& optimizer;
};

/// STAGE/checkpoints/step_N/{model,ema,optimizer}.safetensors + state.json under the official tensor names. A
/// checkpoint is written aside, flushed and renamed; only one whose weights, averages and moments are all finite is
/// written at all.
class CheckpointStore {
 public:
  CheckpointStore(const base::RunFolder& folder, std::string stage);

  /// Writes a checkpoint and lets go of old ones beyond `keep` (0 = keep all; the newest always stays). Returns its
  /// folder and size. Errors name the file (disk full, no permission) or the non-finite tensor.
  struct Saved {
    std::string relative_path;
    std::int64_t bytes = 0;
    double seconds = 0;
  };
  base::Result<Saved> save(const TrainingState& state, const StageProgress& progress, std::int64_t keep) const;

  /// From now on the newest checkpoint there is stays, whatever `keep` says, until release(): the last healthy one,
  /// when an alarm has been raised. A checkpoint that is held already is not exchanged for a newer one. Kept on disk.
  void holdNewest() const;
  void release() const;
  bool isHolding() const { return heldStep().has_value(); }

  /// Bytes of the tensors that save() would write.
  static std::int64_t tensorBytes(const TrainingState& state);

  /// Restores the newest readable checkpoint. A damaged one is skipped with a line in `warnings`, the one before is
  /// taken. nullopt when there is none; throws std::runtime_error when there are some and none can be read.
  std::optional<StageProgress> restoreNewest(const TrainingState& state, std::vector<std::string>& warnings) const;

  /// Restores the checkpoint of `step`; an error names the file.
  base::Result<StageProgress> restoreAt(std::int64_t step, const TrainingState& state) const;
  /// The step that holdNewest() holds, else the newest; nullopt when there is no checkpoint.
  std::optional<std::int64_t> healthyStep() const;
  /// Removes the checkpoints after `step`: they are on a way that was left.
  void dropAfter(std::int64_t step) const;

  /// state.json of the newest readable checkpoint.
  std::optional<StageProgress> newestProgress() const;

 private:
  std::filesystem::path heldFile() const;
  std::optional<std::int64_t> heldStep() const;

  const base::RunFolder& folder_;
  std::string stage_;
};

}  // namespace meanflow::training
