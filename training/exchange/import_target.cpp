// SPDX-License-Identifier: Apache-2.0
#include "training/exchange/import_target.h"

#include <spdlog/fmt/fmt.h>

#include <nlohmann/json.hpp>

#include "core/base/config/config_io.h"
#include "core/base/run/atomic_file.h"
#include "core/checkpoint/tensor_file.h"
#include "core/data/imagenet_names.h"
#include "training/exchange/created_folders.h"

namespace meanflow::training {
namespace {

namespace fs = std::filesystem;
constexpr const char* kStages[] = {"encoder", "decoder", "teacher", "cmt", "mean_flow", "control"};
constexpr const char* kStatisticsFile = "latent_statistics.safetensors";

base::Error usage(std::string message) { return {std::move(message), base::ErrorKind::kUsage}; }

/// import.json with one more entry; what was there and cannot be read is not thrown away but refused.
base::Result<std::string> withEntry(const fs::path& file, const ImportReport& report) {
  nlohmann::ordered_json root = {{"imports", nlohmann::ordered_json::array()}};
  std::error_code code;
  if (fs::exists(file, code)) {
    const auto text = base::readFile(file, std::uintmax_t{64} << 20);
    if (!text) return text.error();
    root = nlohmann::ordered_json::parse(*text, nullptr, /*allow_exceptions=*/false);
    if (!root.is_object() || !root.contains("imports") || !root["imports"].is_array())
      return base::Error{file.string() + " is damaged (not a list of imports); move it away"};
  }
  root["imports"].push_back(toJson(report));
  return root.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::int64_t numNamedClasses(const fs::path& root) {
  const auto text = base::readFile(root / "classes.json", std::uintmax_t{16} << 20);
  if (!text) return 0;
  const auto names = nlohmann::json::parse(*text, nullptr, /*allow_exceptions=*/false);
  return names.is_array() ? static_cast<std::int64_t>(names.size()) : 0;
}

/// Published models of 1000 classes are ImageNet's, in the order of its labels. Numbers stand for names otherwise.
std::vector<std::string> namesUntilDataAreSeen(std::int64_t num_classes) {
  auto names = core::imagenetClassNames();
  if (static_cast<std::int64_t>(names.size()) == num_classes) return names;
  names.clear();
  for (std::int64_t i = 0; i < num_classes; ++i) names.push_back(std::to_string(i));
  return names;
}

}  // namespace

ImportTarget::ImportTarget(fs::path root, base::RunConfig config, std::optional<base::RunFolder> run)
    : root_(std::move(root)), config_(std::move(config)), run_(std::move(run)) {
  if (!run_) return;
  for (const char* stage : kStages)
    if (!run_->listCheckpoints(stage).empty()) held_.names.insert(stage);
  std::error_code code;
  if (fs::exists(run_->stage("decoder") / kStatisticsFile, code)) held_.names.insert("statistics");
}

base::Result<ImportTarget> ImportTarget::prepare(const std::string& out, const std::string& config,
                                                 const std::vector<std::string>& overrides) {
  if (out.empty()) return usage("no run folder was named");
  auto root = fs::absolute(out).lexically_normal();
  if (!root.has_filename()) root = root.parent_path();
  std::error_code code;
  if (base::RunFolder::isRunFolder(root)) {
    if (!config.empty())
      return usage(
          fmt::format("{} has a config.yaml of its own; leave --config out, or import into a new folder", out));
    auto run = base::RunFolder::open(root);
    if (!run) return run.error();
    if (auto locked = run->lock(); !locked) return locked.error();
    auto own = run->readConfig();
    if (!own) return own.error();
    for (const auto& assignment : overrides)
      if (auto set = base::applyOverride(*own, assignment); !set) return set.error();
    return ImportTarget(root, std::move(*own), std::move(*run));
  }
  if (fs::exists(root, code) && !(fs::is_directory(root, code) && fs::is_empty(root, code)))
    return usage(fmt::format("{} is neither a run folder nor empty; choose another name", out));
  base::RunConfig fresh;
  fresh.stages.clear();  // nothing is trained here until somebody says what
  if (!config.empty()) {
    auto loaded = base::loadConfig(config, overrides);
    if (!loaded) return loaded.error();
    fresh = std::move(*loaded);
  } else {
    for (const auto& assignment : overrides)
      if (auto set = base::applyOverride(fresh, assignment); !set) return set.error();
  }
  return ImportTarget(root, std::move(fresh), std::nullopt);
}

base::Result<void> ImportTarget::writeRecord(const fs::path& root, const base::RunConfig& config,
                                             const ImportReport& report) const {
  const auto record = withEntry(root / "import.json", report);
  if (!record) return record.error();
  if (auto written = base::writeFileAtomically(root / "config.yaml", base::toYaml(config)); !written) return written;
  if (config.data.num_classes > 0 && numNamedClasses(root) != config.data.num_classes) {
    const nlohmann::json names = namesUntilDataAreSeen(config.data.num_classes);
    if (auto written = base::writeFileAtomically(root / "classes.json", names.dump() + "\n"); !written) return written;
  }
  return base::writeFileAtomically(root / "import.json", *record);
}

base::Result<void> ImportTarget::into(const std::function<base::Result<void>(const fs::path& root)>& write) {
  if (run_) return write(root_);
  CreatedFolders parents;
  if (auto made = parents.make(root_.parent_path()); !made) return made;
  auto folder = base::AtomicFolder::create(root_);
  if (!folder) return folder.error();
  std::error_code code;
  fs::create_directory(folder->path() / "inbox", code);
  if (code) return base::Error{fmt::format("{}: cannot be made: {}", root_.string(), code.message())};
  if (auto written = write(folder->path()); !written) return written;
  if (auto committed = folder->commit(); !committed) return committed;
  parents.keep();
  return {};
}

base::Result<void> ImportTarget::writeCheckpoint(const std::string& stage, std::int64_t step, const Fill& fill,
                                                 const base::RunConfig& config, ImportReport& report) {
  report.target = fmt::format("{}/checkpoints/{}", stage, base::stepName(step));
  return into([&](const fs::path& root) -> base::Result<void> {
    const auto folder = root / report.target;
    CreatedFolders parents;
    if (auto made = parents.make(folder.parent_path()); !made) return made;
    {
      auto writing = base::AtomicFolder::create(folder);
      if (!writing) return writing.error();
      if (auto filled = fill(writing->path()); !filled) return filled;
      if (auto committed = writing->commit(); !committed) return committed;
    }
    parents.keep();
    if (auto recorded = writeRecord(root, config, report); !recorded) return recorded;
    if (!run_) return {};
    for (const auto& entry : run_->listCheckpoints(stage)) {
      std::error_code code;
      if (entry.step != step) fs::remove_all(entry.path, code);
      if (code) return base::Error{fmt::format("{}: cannot be removed: {}", entry.path.string(), code.message())};
    }
    return {};
  });
}

base::Result<void> ImportTarget::writeStatistics(const core::TensorMap& moments, const base::RunConfig& config,
                                                 ImportReport& report) {
  report.target = fmt::format("decoder/{}", kStatisticsFile);
  return into([&](const fs::path& root) -> base::Result<void> {
    CreatedFolders parents;
    if (auto made = parents.make(root / "decoder"); !made) return made;
    if (auto written = core::saveTensors((root / report.target).string(), moments); !written) return written;
    parents.keep();
    return writeRecord(root, config, report);
  });
}

}  // namespace meanflow::training
