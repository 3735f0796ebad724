// SPDX-License-Identifier: Apache-2.0
//
// The folder of one run: the contract between training, studio and the outside. Layout:
//   config.yaml  environment.json  events.jsonl  log.txt  tensorboard/  inbox/
//   STAGE/checkpoints/step_00001000/   STAGE/samples/   STAGE/trajectories/   STAGE/diagnostics/
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/config/run_config.h"
#include "core/base/result.h"

namespace meanflow::base {

struct CheckpointEntry {
  std::int64_t step = 0;
  std::filesystem::path path;
  bool operator==(const CheckpointEntry&) const = default;
};

class RunFolder {
 public:
  using Path = std::filesystem::path;

  /// Makes a new run folder, locks it for this process and writes config.yaml. Error when `path` already holds anything.
  static Result<RunFolder> create(const Path& path, const RunConfig& config);
  /// Opens an existing one for reading. Error (kUsage) in one sentence when it is none.
  static Result<RunFolder> open(const Path& path);
  static bool isRunFolder(const Path& path);

  ~RunFolder();  ///< Releases the lock.
  RunFolder(RunFolder&& other) noexcept;
  RunFolder& operator=(RunFolder&& other) noexcept;

  /// Claims the run for training. Error naming the owner when another process (or another RunFolder) holds it. The
  /// kernel drops the lock of a process that dies.
  Result<void> lock();
  bool isLocked() const { return lock_fd_ >= 0; }
  /// Whether some process is training into this run now.
  bool isOwnedBySomeone() const;

  const Path& root() const { return root_; }
  std::string name() const { return root_.filename().string(); }
  Path config() const { return root_ / "config.yaml"; }
  Path environment() const { return root_ / "environment.json"; }
  Path events() const { return root_ / "events.jsonl"; }
  Path log() const { return root_ / "log.txt"; }
  Path tensorboard() const { return root_ / "tensorboard"; }
  Path inbox() const { return root_ / "inbox"; }
  Path stage(std::string_view stage) const { return root_ / stage; }
  Path checkpoints(std::string_view stage) const { return root_ / stage / "checkpoints"; }
  Path checkpoint(std::string_view stage, std::int64_t step) const;
  Path samples(std::string_view stage) const { return root_ / stage / "samples"; }
  Path trajectories(std::string_view stage) const { return root_ / stage / "trajectories"; }
  Path diagnostics(std::string_view stage) const { return root_ / stage / "diagnostics"; }
  /// `path` as events write it: relative to the root, with forward slashes.
  std::string relative(const Path& path) const;

  /// The configuration in config.yaml.
  Result<RunConfig> readConfig() const;
  /// Complete checkpoints of a stage (those with a state.json), oldest first, newest last.
  std::vector<CheckpointEntry> listCheckpoints(std::string_view stage) const;
  /// Removes what crashed writers left (`.tmp-...`); returns how many entries. Only with the lock held. Files in the
  /// inbox younger than a minute stay: their sender may be about to rename them.
  Result<int> sweepTemporaries() const;

 private:
  explicit RunFolder(Path root) : root_(std::move(root)) {}
  Path root_;
  int lock_fd_ = -1;
};

/// "step_00001000": file and folder names of a step sort by number.
std::string stepName(std::int64_t step);

}  // namespace meanflow::base
