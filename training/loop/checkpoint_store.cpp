// SPDX-License-Identifier: Apache-2.0
#include "training/loop/checkpoint_store.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/base/run/atomic_file.h"
#include "core/checkpoint/tensor_file.h"
#include "training/optim/gradients.h"

namespace meanflow::training {
namespace {

namespace fs = std::filesystem;
constexpr int kFormatVersion = 1;

core::TensorMap asMap(const NamedTensors& tensors) { return {tensors.begin(), tensors.end()}; }
NamedTensors asList(const core::TensorMap& tensors) { return {tensors.begin(), tensors.end()}; }

std::string toJson(const StageProgress& p) {
  return nlohmann::ordered_json{{"format_version", kFormatVersion}, {"step", p.step},
                                {"total_steps", p.total_steps},     {"images_seen", p.images_seen},
                                {"wall_seconds", p.wall_seconds},   {"cpu_seconds", p.cpu_seconds},
                                {"verified_finite", true}}
      .dump(2);
}

base::Result<StageProgress> readProgress(const fs::path& file) {
  const auto text = base::readFile(file, 1 << 20);
  if (!text) return text.error();
  const auto json = nlohmann::json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.value("step", nlohmann::json()).is_number_integer())
    return base::Error{file.string() + " is damaged (not the state of a checkpoint)"};
  if (json.value("format_version", 0) > kFormatVersion)
    return base::Error{file.string() + " was written by a newer version of MeanFlow Studio (format " +
                       std::to_string(json.value("format_version", 0)) + "); update to read it"};
  StageProgress p;
  p.step = json.value("step", std::int64_t{0});
  p.total_steps = json.value("total_steps", std::int64_t{0});
  p.images_seen = json.value("images_seen", std::int64_t{0});
  p.wall_seconds = json.value("wall_seconds", 0.0);
  p.cpu_seconds = json.value("cpu_seconds", 0.0);
  // Only an import may leave the moments out; elsewhere a missing file is damage.
  p.has_optimizer = !json.value("imported", false) || fs::exists(file.parent_path() / "optimizer.safetensors");
  return p;
}

/// Reads every file before anything is changed, so that a damaged checkpoint leaves the state untouched.
base::Result<void> restore(const fs::path& folder, bool has_optimizer, const TrainingState& state) {
  const auto model = core::loadTensors((folder / "model.safetensors").string());
  if (!model) return model.error();
  const auto ema = core::loadTensors((folder / "ema.safetensors").string());
  if (!ema) return ema.error();
  const auto optimizer = has_optimizer ? core::loadTensors((folder / "optimizer.safetensors").string())
                                       : base::Result<core::TensorMap>(core::TensorMap{});
  if (!optimizer) return optimizer.error();
  if (const auto loaded = core::loadInto(state.module, *model, core::Strictness::kExact); !loaded) {
    return base::Error{(folder / "model.safetensors").string() +
                       " does not fit the configured network: " + loaded.error().message};
  }
  if (const auto loaded = state.ema.load(asList(*ema)); !loaded)
    return base::Error{(folder / "ema.safetensors").string() + ": " + loaded.error().message};
  if (!has_optimizer) return {};
  if (const auto loaded = state.optimizer.loadState(asList(*optimizer)); !loaded)
    return base::Error{(folder / "optimizer.safetensors").string() + ": " + loaded.error().message};
  return {};
}

}  // namespace

CheckpointStore::CheckpointStore(const base::RunFolder& folder, std::string stage)
    : folder_(folder), stage_(std::move(stage)) {}

base::Result<CheckpointStore::Saved> CheckpointStore::save(const TrainingState& state, const StageProgress& progress,
                                                           std::int64_t keep) const {
  const auto started = std::chrono::steady_clock::now();
  const auto model = core::namedState(state.module);
  const auto optimizer = state.optimizer.state();
  for (const auto& [what, tensors] : {std::pair<const char*, NamedTensors>{"weight", asList(model)},
                                      {"weight average", state.ema.averages()},
                                      {"optimiser moment", optimizer}}) {
    const std::string bad = firstNonFinite(tensors);
    if (!bad.empty())
      return base::Error{
          stage_ + " step " + std::to_string(progress.step) + ": no checkpoint was written, because the " + what + " " +
              bad + " is not finite; the last healthy checkpoint is kept. Go back to it with a lower learning rate",
          base::ErrorKind::kDiverged};
  }
  const fs::path target = folder_.checkpoint(stage_, progress.step);
  std::error_code failed;
  fs::create_directories(target.parent_path(), failed);
  if (failed) return base::Error{"cannot create " + target.parent_path().string() + ": " + failed.message()};
  auto writing = base::AtomicFolder::create(target);
  if (!writing) return writing.error();
  const fs::path folder = writing->path();
  for (const auto& [name, tensors] : {std::pair<const char*, core::TensorMap>{"model.safetensors", model},
                                      {"ema.safetensors", asMap(state.ema.averages())},
                                      {"optimizer.safetensors", asMap(optimizer)}}) {
    if (auto written = core::saveTensors((folder / name).string(), tensors); !written) return written.error();
  }
  if (auto written = base::writeFileAtomically(folder / "state.json", toJson(progress)); !written)
    return written.error();
  Saved saved;
  for (const auto& entry : fs::directory_iterator(folder, failed))
    saved.bytes += static_cast<std::int64_t>(entry.file_size(failed));
  if (auto committed = writing->commit(); !committed) return committed.error();

  if (keep > 0) {
    const auto all = folder_.listCheckpoints(stage_);
    const auto held = heldStep();
    for (std::size_t i = 0; i + static_cast<std::size_t>(keep) < all.size(); ++i)
      if (all[i].step != held) fs::remove_all(all[i].path, failed);
  }
  saved.relative_path = folder_.relative(target);
  saved.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  return saved;
}

fs::path CheckpointStore::heldFile() const { return folder_.checkpoints(stage_) / "held.json"; }

std::optional<std::int64_t> CheckpointStore::heldStep() const {
  const auto text = base::readFile(heldFile(), 1 << 16);
  if (!text) return std::nullopt;
  const auto json = nlohmann::json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.value("step", nlohmann::json()).is_number_integer()) return std::nullopt;
  return json["step"].get<std::int64_t>();
}

void CheckpointStore::holdNewest() const {
  const auto all = folder_.listCheckpoints(stage_);
  if (all.empty() || heldStep()) return;
  // Not worth ending a run for; the newest checkpoints are kept anyway.
  (void)base::writeFileAtomically(heldFile(), nlohmann::json{{"step", all.back().step}}.dump());
}

void CheckpointStore::release() const {
  std::error_code ignored;
  fs::remove(heldFile(), ignored);
}

std::int64_t CheckpointStore::tensorBytes(const TrainingState& state) {
  std::int64_t bytes = 0;
  for (const auto& tensors : {asList(core::namedState(state.module)), state.ema.averages(), state.optimizer.state()})
    for (const auto& [name, tensor] : tensors) bytes += static_cast<std::int64_t>(tensor.nbytes());
  return bytes;
}

std::optional<StageProgress> CheckpointStore::restoreNewest(const TrainingState& state,
                                                            std::vector<std::string>& warnings) const {
  auto entries = folder_.listCheckpoints(stage_);
  for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
    const auto progress = readProgress(entry->path / "state.json");
    const auto restored =
        progress ? restore(entry->path, progress->has_optimizer, state) : base::Result<void>(progress.error());
    if (restored) return *progress;
    warnings.push_back("checkpoint skipped: " + restored.error().message);
  }
  // Training from the start over what is there would throw it away.
  if (!entries.empty())
    throw std::runtime_error("no checkpoint of stage " + stage_ + " can be read (" + warnings.back() +
                             "); to train the stage again, move " + folder_.checkpoints(stage_).string() + " away");
  return std::nullopt;
}

base::Result<StageProgress> CheckpointStore::restoreAt(std::int64_t step, const TrainingState& state) const {
  const auto path = folder_.checkpoint(stage_, step);
  const auto progress = readProgress(path / "state.json");
  if (!progress) return progress.error();
  if (const auto restored = restore(path, progress->has_optimizer, state); !restored) return restored.error();
  return *progress;
}

std::optional<std::int64_t> CheckpointStore::healthyStep() const {
  const auto all = folder_.listCheckpoints(stage_);
  const auto held = heldStep();
  if (held && std::any_of(all.begin(), all.end(), [&](const auto& entry) { return entry.step == *held; })) return held;
  return all.empty() ? std::nullopt : std::optional(all.back().step);
}

void CheckpointStore::dropAfter(std::int64_t step) const {
  std::error_code ignored;
  for (const auto& entry : folder_.listCheckpoints(stage_))
    if (entry.step > step) fs::remove_all(entry.path, ignored);
}

std::optional<StageProgress> CheckpointStore::newestProgress() const {
  auto entries = folder_.listCheckpoints(stage_);
  for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry)
    if (const auto progress = readProgress(entry->path / "state.json")) return *progress;
  return std::nullopt;
}

}  // namespace meanflow::training
