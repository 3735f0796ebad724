// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/base/run/run_folder.h"
#include "core/checkpoint/module_state.h"
#include "training/exchange/import_report.h"
#include "training/exchange/model_config.h"

namespace meanflow::training {

/// The run folder an import goes into: one that exists, locked while this lives, or one that is made. A folder that is
/// made appears whole, by a rename; into an existing one the checkpoint is renamed, then config.yaml and import.json.
class ImportTarget {
 public:
  /// Touches nothing but the lock of an existing run folder. Errors: a folder that is neither empty nor a run, a run
  /// that is being trained, a configuration that cannot be read, --config for a run that has its own.
  static base::Result<ImportTarget> prepare(const std::string& out, const std::string& config,
                                            const std::vector<std::string>& overrides);

  const base::RunConfig& config() const { return config_; }
  /// Stages that have weights of their own there already.
  const HeldStages& held() const { return held_; }

  /// `fill` writes the checkpoint's files into a folder that then takes the place of STAGE/checkpoints/step_N; other
  /// checkpoints of the stage go. On an error nothing is left behind. Sets report.target.
  using Fill = std::function<base::Result<void>(const std::filesystem::path& folder)>;
  base::Result<void> writeCheckpoint(const std::string& stage, std::int64_t step, const Fill& fill,
                                     const base::RunConfig& config, ImportReport& report);
  base::Result<void> writeStatistics(const core::TensorMap& moments, const base::RunConfig& config,
                                     ImportReport& report);

 private:
  ImportTarget(std::filesystem::path root, base::RunConfig config, std::optional<base::RunFolder> run);
  base::Result<void> writeRecord(const std::filesystem::path& root, const base::RunConfig& config,
                                 const ImportReport& report) const;
  /// Runs `write` on the folder itself, or on a new one that is put in place afterwards.
  base::Result<void> into(const std::function<base::Result<void>(const std::filesystem::path& root)>& write);

  std::filesystem::path root_;
  base::RunConfig config_;
  std::optional<base::RunFolder> run_;  ///< Empty when the folder is to be made.
  HeldStages held_;
};

}  // namespace meanflow::training
