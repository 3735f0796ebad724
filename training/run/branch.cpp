// SPDX-License-Identifier: Apache-2.0
#include "training/run/branch.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>

#include "core/base/config/config_io.h"
#include "core/base/run/atomic_file.h"
#include "training/loop/checkpoint_store.h"
#include "training/run/stage_plan.h"
#include "training/run/supported_settings.h"

namespace meanflow::training {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 6> kStages = {"encoder", "decoder", "teacher", "cmt", "mean_flow", "control"};
/// Folders of a stage that show how it was trained: they stay with the parent.
constexpr std::array<std::string_view, 4> kLeftBehind = {"checkpoints", "samples", "trajectories", "diagnostics"};

fs::path branchFile(const base::RunFolder& folder) { return folder.root() / "branch.json"; }
fs::path parentConfigFile(const base::RunFolder& folder) { return folder.root() / "branch_parent.yaml"; }

base::Result<void> shareFile(const fs::path& from, const fs::path& to) {
  std::error_code code;
  fs::create_hard_link(from, to, code);
  if (code) fs::copy_file(from, to, code);
  if (code) return base::Error{fmt::format("cannot copy {} to {}: {}", from.string(), to.string(), code.message())};
  return {};
}

base::Result<void> shareFolder(const fs::path& from, const fs::path& to) {
  std::error_code code;
  fs::create_directories(to, code);
  if (code) return base::Error{fmt::format("cannot make {}: {}", to.string(), code.message())};
  for (auto it = fs::recursive_directory_iterator(from, code); !code && it != fs::end(it); it.increment(code)) {
    const auto target = to / fs::relative(it->path(), from);
    if (it->is_directory()) {
      fs::create_directories(target, code);
    } else if (it->is_regular_file()) {
      if (auto shared = shareFile(it->path(), target); !shared) return shared.error();
    }
  }
  if (code) return base::Error{fmt::format("cannot read {}: {}", from.string(), code.message())};
  return {};
}

/// What later stages need of a stage beside its weights, such as the latent statistics.
base::Result<void> shareLeftovers(const fs::path& from, const fs::path& to) {
  std::error_code code;
  if (!fs::is_directory(from, code)) return {};
  fs::create_directories(to, code);
  for (const auto& entry : fs::directory_iterator(from, code)) {
    const auto name = entry.path().filename().string();
    if (std::find(kLeftBehind.begin(), kLeftBehind.end(), name) != kLeftBehind.end()) continue;
    const auto shared =
        entry.is_directory() ? shareFolder(entry.path(), to / name) : shareFile(entry.path(), to / name);
    if (!shared) return shared.error();
  }
  return {};
}

/// The newest checkpoint at or before `step`.
std::optional<base::CheckpointEntry> checkpointBefore(const base::RunFolder& folder, const std::string& stage,
                                                      std::int64_t step) {
  std::optional<base::CheckpointEntry> found;
  for (const auto& entry : folder.listCheckpoints(stage))
    if (entry.step <= step) found = entry;
  return found;
}

base::Result<void> shareCheckpoint(const base::RunFolder& from, const base::RunFolder& to, const std::string& stage,
                                   std::int64_t step) {
  const auto entry = checkpointBefore(from, stage, step);
  return entry ? shareFolder(entry->path, to.checkpoint(stage, entry->step)) : base::Result<void>();
}

base::Result<void> shareStages(const base::RunFolder& parent, const base::RunFolder& folder,
                               const base::BranchPoint& point) {
  for (const auto name : kStages) {
    const std::string stage(name);
    if (stage == point.stage) return shareCheckpoint(parent, folder, stage, point.step);
    if (auto shared = shareLeftovers(parent.stage(stage), folder.stage(stage)); !shared) return shared.error();
    if (auto shared = shareCheckpoint(parent, folder, stage, std::numeric_limits<std::int64_t>::max()); !shared)
      return shared.error();
  }
  return {};
}

}  // namespace

base::Result<base::RunFolder> createBranch(const fs::path& path, const base::BranchPoint& point,
                                           const std::vector<std::string>& overrides) {
  const auto usage = [](const std::string& text) { return base::Error{text, base::ErrorKind::kUsage}; };
  const auto parent = base::RunFolder::open(point.parent);
  if (!parent) return parent.error();
  const auto before = parent->readConfig();
  if (!before) return before.error();
  const auto& stages = before->stages;
  if (std::find(stages.begin(), stages.end(), point.stage) == stages.end() ||
      std::find(kStages.begin(), kStages.end(), point.stage) == kStages.end())
    return usage(fmt::format("{} has no stage {} to branch from; its stages are {}", parent->root().string(),
                             point.stage, fmt::join(stages, ", ")));
  const auto planned = plannedSteps(*before, point.stage);
  if (point.step < 0 || point.step > planned)
    return usage(fmt::format("stage {} of {} has steps 0 to {}; there is no step {} to branch from", point.stage,
                             parent->root().string(), planned, point.step));
  auto config = *before;
  for (const auto& assignment : overrides)
    if (auto set = base::applyOverride(config, assignment); !set) return set.error();
  if (auto supported = checkSupported(config); !supported) return supported.error();
  auto folder = base::RunFolder::create(path, config);
  if (!folder) return folder;
  nlohmann::ordered_json json = {{"parent", parent->root().string()}, {"stage", point.stage}, {"step", point.step}};
  json["changes"] = nlohmann::ordered_json::array();
  for (const auto& change : base::difference(*before, config))
    json["changes"].push_back(fmt::format("{}: {} -> {}", change.key, change.a, change.b));
  for (const auto& written : {shareStages(*parent, *folder, point),
                              base::writeFileAtomically(parentConfigFile(*folder), base::toYaml(*before)),
                              base::writeFileAtomically(branchFile(*folder), json.dump(2) + "\n")})
    if (!written) return written.error();
  return folder;
}

base::Result<std::optional<Branch>> readBranch(const base::RunFolder& folder) {
  std::error_code code;
  if (!fs::exists(branchFile(folder), code)) return std::optional<Branch>();
  const auto text = base::readFile(branchFile(folder), 1 << 20);
  if (!text) return text.error();
  const auto json = nlohmann::json::parse(*text, nullptr, /*allow_exceptions=*/false);
  const auto damaged = [&] {
    return base::Error{branchFile(folder).string() + " is damaged; it says where the run left another"};
  };
  if (!json.is_object()) return damaged();
  Branch branch;
  try {
    branch.point = {json.at("parent"), json.at("stage"), json.at("step")};
    branch.changes = json.at("changes").get<std::vector<std::string>>();
  } catch (const nlohmann::json::exception&) {
    return damaged();
  }
  auto config = base::loadConfig(parentConfigFile(folder).string(), {});
  if (!config) return config.error();
  branch.parent_config = std::move(*config);
  return std::optional<Branch>(std::move(branch));
}

bool isOnParentsWay(const base::RunFolder& folder, const Branch& branch) {
  const auto progress = CheckpointStore(folder, branch.point.stage).newestProgress();
  return (progress ? progress->step : 0) < branch.point.step;
}

}  // namespace meanflow::training
