// SPDX-License-Identifier: Apache-2.0
//
// The checkpoints of a run folder as files: what lies there, whether it is whole, and how one is taken away.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/base/run/run_folder.h"

namespace meanflow::base {

/// One checkpoint folder, told from its files' names and sizes and from state.json: no tensor is read.
struct CheckpointFacts {
  std::string stage;
  std::int64_t step = 0;
  std::string relative_path;  ///< STAGE/checkpoints/step_N, as events and sample requests name it.
  std::int64_t bytes = 0;     ///< All its files.
  double written_unix = 0;
  std::int64_t total_steps = 0, images_seen = 0;
  double wall_seconds = 0;   ///< Training time of the stage up to here.
  bool says_finite = false;  ///< state.json: every tensor was finite when it was written.
  bool is_imported = false;
  bool has_optimizer = false;
  std::string problem;  ///< Not empty: training could not go on from it, and why, in one sentence.
};

/// Every checkpoint of a run, stages in the order of the pipeline (others after them by name), oldest first. A folder
/// without state.json is listed with its problem. The error says that the run folder is gone or cannot be read.
Result<std::vector<CheckpointFacts>> listCheckpointFacts(const std::filesystem::path& run_folder);

/// Reads all tensors of a checkpoint. Error: a file is damaged or gone. `finding` names file and tensor with the first
/// value that is not finite; empty when all are (or the check was cancelled).
struct CheckpointCheck {
  std::string finding;
  std::int64_t num_bytes = 0;
  bool is_cancelled = false;
};
Result<CheckpointCheck> checkCheckpoint(const std::filesystem::path& checkpoint,
                                        const std::function<bool()>& is_cancelled = {});

/// Step of the stage's newest checkpoint that is whole, passing over `bad_steps` (found to hold values that are not
/// finite); -1 without one.
std::int64_t newestHealthy(const std::vector<CheckpointFacts>& all, std::string_view stage,
                           const std::set<std::int64_t>& bad_steps = {});

/// Whether somebody is writing the checkpoint of this step right now.
bool isBeingWritten(const RunFolder& folder, std::string_view stage, std::int64_t step);

/// Deletes a checkpoint: renamed first, so that what is half deleted is never taken for one. Error when it is the
/// stage's newest healthy one, when somebody is writing it, or when the folder may not be written to. One that is gone
/// already is no error.
Result<void> removeCheckpoint(const RunFolder& folder, std::string_view stage, std::int64_t step,
                              const std::set<std::int64_t>& bad_steps = {});

/// Whether this process may put things into a folder and take things out of it.
bool mayWrite(const std::filesystem::path& folder);

}  // namespace meanflow::base
