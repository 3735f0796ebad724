// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/base/config/run_config.h"
#include "core/base/result.h"
#include "core/base/run/run_folder.h"
#include "core/base/run/training_host.h"

namespace meanflow::training {

/// Where a run left another, as branch.json of its folder says.
struct Branch {
  base::BranchPoint point;
  std::vector<std::string> changes;  ///< "key: old -> new"
  base::RunConfig parent_config;     ///< Under which `point.step` is reached.
};

/// Makes a run folder at `path` that goes on from `point` under the parent's configuration with `overrides`. It holds
/// what the parent's stages before had left, and of the stage itself the newest checkpoint at or before the step; files
/// are shared with the parent where the file system can (nobody writes into a checkpoint). The parent is only read.
/// Errors: no such run, stage or step, a setting that does not exist, a folder that holds something already.
base::Result<base::RunFolder> createBranch(const std::filesystem::path& path, const base::BranchPoint& point,
                                           const std::vector<std::string>& overrides);

/// nullopt for a run that left no other; an error when branch.json is damaged.
base::Result<std::optional<Branch>> readBranch(const base::RunFolder& folder);

/// Whether the run has yet to reach the step at which it leaves its parent: until then it trains as the parent did.
bool isOnParentsWay(const base::RunFolder& folder, const Branch& branch);

}  // namespace meanflow::training
