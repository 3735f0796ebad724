// SPDX-License-Identifier: Apache-2.0
#include "core/base/run/checkpoint_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/base/formats/finite_check.h"
#include "core/base/formats/safetensors.h"
#include "core/base/run/atomic_file.h"

namespace meanflow::base {
namespace fs = std::filesystem;
namespace {

constexpr std::array<std::string_view, 6> kPipeline = {"encoder", "decoder", "teacher", "cmt", "mean_flow", "control"};
constexpr int kKnownFormat = 1;

std::optional<std::int64_t> stepOfCheckpoint(const std::string& name) {
  constexpr std::string_view kPrefix = "step_";
  if (!name.starts_with(kPrefix)) return std::nullopt;
  std::int64_t step = 0;
  const auto [end, status] = std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), step);
  if (status != std::errc() || end != name.data() + name.size() || step < 0) return std::nullopt;
  return step;
}

/// Size and newest change of the files in a checkpoint.
void measure(const fs::path& path, CheckpointFacts& facts) {
  std::error_code code;
  for (auto it = fs::directory_iterator(path, code); !code && it != fs::end(it); it.increment(code)) {
    struct stat status = {};
    if (::stat(it->path().c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
    facts.bytes += status.st_size;
    facts.written_unix = std::max(facts.written_unix, static_cast<double>(status.st_mtim.tv_sec) +
                                                          1e-9 * static_cast<double>(status.st_mtim.tv_nsec));
  }
}

/// What keeps training from going on from here, by the rules of the store that restores it.
std::string problemOf(const fs::path& path, CheckpointFacts& facts) {
  const auto text = readFile(path / "state.json", 1 << 20);
  if (!text) return "it has no state.json: whoever wrote it did not finish, or a file is missing";
  const auto json = nlohmann::json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("step") || !json["step"].is_number_integer())
    return "its state.json is damaged";
  const auto number = [&](const char* key, auto fallback) {
    return json.contains(key) && json[key].is_number() ? json[key].get<decltype(fallback)>() : fallback;
  };
  const auto flag = [&](const char* key) {
    return json.contains(key) && json[key].is_boolean() && json[key].get<bool>();
  };
  facts.total_steps = number("total_steps", std::int64_t{0});
  facts.images_seen = number("images_seen", std::int64_t{0});
  facts.wall_seconds = number("wall_seconds", 0.0);
  facts.says_finite = flag("verified_finite");
  facts.is_imported = flag("imported");
  std::error_code code;
  facts.has_optimizer = fs::is_regular_file(path / "optimizer.safetensors", code);
  if (const int format = number("format_version", 0); format > kKnownFormat)
    return fmt::format("a newer version of MeanFlow Studio wrote it (format {})", format);
  for (const char* file : {"model.safetensors", "ema.safetensors"})
    if (!fs::is_regular_file(path / file, code)) return fmt::format("{} is missing", file);
  // Only an import may leave the moments out.
  if (!facts.has_optimizer && !facts.is_imported) return "optimizer.safetensors is missing";
  return {};
}

bool isStageName(std::string_view stage) {
  return !stage.empty() && stage.find('/') == std::string_view::npos && stage != "." && stage != "..";
}

std::vector<std::string> stagesIn(const fs::path& run_folder) {
  std::vector<std::string> stages;
  std::error_code code;
  for (auto it = fs::directory_iterator(run_folder, code); !code && it != fs::end(it); it.increment(code)) {
    std::error_code ignored;
    if (fs::is_directory(it->path() / "checkpoints", ignored)) stages.push_back(it->path().filename().string());
  }
  const auto place = [](const std::string& stage) {
    return std::find(kPipeline.begin(), kPipeline.end(), stage) - kPipeline.begin();
  };
  std::sort(stages.begin(), stages.end(),
            [&](const auto& a, const auto& b) { return std::pair(place(a), a) < std::pair(place(b), b); });
  return stages;
}

std::vector<CheckpointFacts> factsOfStage(const RunFolder& folder, const std::string& stage) {
  std::vector<CheckpointFacts> found;
  std::error_code code;
  for (auto it = fs::directory_iterator(folder.checkpoints(stage), code); !code && it != fs::end(it);
       it.increment(code)) {
    const auto step = stepOfCheckpoint(it->path().filename().string());
    std::error_code ignored;
    if (!step || !fs::is_directory(it->path(), ignored)) continue;
    CheckpointFacts facts;
    facts.stage = stage;
    facts.step = *step;
    facts.relative_path = folder.relative(it->path());
    measure(it->path(), facts);
    facts.problem = problemOf(it->path(), facts);
    // A run that is being trained lets go of old ones: what has vanished meanwhile is not there.
    if (fs::is_directory(it->path(), ignored)) found.push_back(std::move(facts));
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.step < b.step; });
  return found;
}

}  // namespace

Result<std::vector<CheckpointFacts>> listCheckpointFacts(const fs::path& run_folder) {
  const auto folder = RunFolder::open(run_folder);
  if (!folder) return folder.error();
  std::vector<CheckpointFacts> all;
  for (const auto& stage : stagesIn(folder->root())) {
    auto of_stage = factsOfStage(*folder, stage);
    std::move(of_stage.begin(), of_stage.end(), std::back_inserter(all));
  }
  return all;
}

Result<CheckpointCheck> checkCheckpoint(const fs::path& checkpoint, const std::function<bool()>& is_cancelled) {
  std::vector<fs::path> files;
  std::error_code code;
  for (auto it = fs::directory_iterator(checkpoint, code); !code && it != fs::end(it); it.increment(code))
    if (it->path().extension() == ".safetensors") files.push_back(it->path());
  if (code) return Error{fmt::format("{}: cannot be read: {}", checkpoint.string(), code.message())};
  if (files.empty()) return Error{fmt::format("{}: holds no safetensors file", checkpoint.string())};
  std::sort(files.begin(), files.end());
  CheckpointCheck result;
  for (const auto& path : files) {
    const auto file = SafetensorsFile::open(path);
    if (!file) return file.error();
    const auto check = checkFinite(*file, is_cancelled);
    result.num_bytes += check.num_bytes;
    result.is_cancelled = check.is_cancelled;
    if (check.is_cancelled) return result;
    if (check.first_bad.empty()) continue;
    result.finding = fmt::format("{}: {} has {} {} not finite", path.filename().string(), shownName(check.first_bad),
                                 check.num_non_finite, check.num_non_finite == 1 ? "value that is" : "values that are");
    return result;
  }
  return result;
}

std::int64_t newestHealthy(const std::vector<CheckpointFacts>& all, std::string_view stage,
                           const std::set<std::int64_t>& bad_steps) {
  std::int64_t newest = -1;
  for (const auto& facts : all)
    if (facts.stage == stage && facts.problem.empty() && !bad_steps.contains(facts.step))
      newest = std::max(newest, facts.step);
  return newest;
}

bool isBeingWritten(const RunFolder& folder, std::string_view stage, std::int64_t step) {
  // A writer fills a folder of this name beside the target; what a crash left is nobody's.
  if (!folder.isOwnedBySomeone()) return false;
  std::error_code code;
  for (auto it = fs::directory_iterator(folder.checkpoints(stage), code); !code && it != fs::end(it);
       it.increment(code)) {
    const std::string name = it->path().filename().string();
    if (name.starts_with(fmt::format("{}{}-", kTemporaryPrefix, stepName(step)))) return true;
  }
  return false;
}

Result<void> removeCheckpoint(const RunFolder& folder, std::string_view stage, std::int64_t step,
                              const std::set<std::int64_t>& bad_steps) {
  const auto refuse = [&](const std::string& why) {
    return Error{fmt::format("{} step {} is not deleted: {}", stage, step, why), ErrorKind::kUsage};
  };
  if (!isStageName(stage)) return refuse("that is not the name of a stage");
  if (newestHealthy(factsOfStage(folder, std::string(stage)), stage, bad_steps) == step)
    return refuse("it is the newest healthy checkpoint of its stage, and training goes on from it");
  if (isBeingWritten(folder, stage, step)) return refuse("the run is writing it right now");
  const fs::path target = folder.checkpoint(stage, step);
  const fs::path aside =
      target.parent_path() / fmt::format("{}removed-{}-{}", kTemporaryPrefix, stepName(step), ::getpid());
  if (::rename(target.c_str(), aside.c_str()) != 0) {
    if (errno == ENOENT) return {};
    const std::string reason = std::error_code(errno, std::generic_category()).message();
    return Error{fmt::format("{} cannot be deleted: {}; check the permissions of its folder", target.string(), reason)};
  }
  std::error_code code;
  fs::remove_all(aside, code);
  if (code)
    return Error{fmt::format("{}: what is left of the deleted checkpoint cannot be removed: {}", aside.string(),
                             code.message())};
  return {};
}

bool mayWrite(const fs::path& folder) { return ::faccessat(AT_FDCWD, folder.c_str(), W_OK, AT_EACCESS) == 0; }

}  // namespace meanflow::base
