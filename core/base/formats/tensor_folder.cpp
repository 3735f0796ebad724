// SPDX-License-Identifier: Apache-2.0
//
// openTensorSource: checkpoints that are more than one file.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "core/base/formats/shard_index.h"
#include "core/base/formats/stored_tensor.h"
#include "core/base/formats/tensor_source.h"
#include "core/base/run/atomic_file.h"

namespace meanflow::base {
namespace fs = std::filesystem;
namespace {

using Source = std::unique_ptr<TensorSource>;

/// Several files as one; their tensors keep their names or get a group's name before them.
class JoinedSource final : public TensorSource {
 public:
  JoinedSource(const fs::path& path, std::string format) { path_ = path, format_ = std::move(format); }

  void add(Source source, const std::string& group) {
    const auto prefix = group.empty() ? "" : group + ".";
    for (std::size_t i = 0; i < source->entries().size(); ++i) {
      entries_.push_back(source->entries()[i]);
      entries_.back().name.insert(0, prefix);
      places_.emplace_back(parts_.size(), i);
    }
    if (!group.empty()) groups_.push_back(group);
    for (const auto& [name, text] : source->values()) values_.emplace_back(prefix + name, text);
    unreadable_.insert(unreadable_.end(), source->unreadable().begin(), source->unreadable().end());
    parts_.push_back(std::move(source));
  }
  Result<void> read(std::size_t i, std::span<std::byte> out) override {
    const auto [part, entry] = places_.at(i);
    return parts_[part]->read(entry, out);
  }

 private:
  std::vector<Source> parts_;
  std::vector<std::pair<std::size_t, std::size_t>> places_;
};

Result<Source> openShards(const fs::path& index_path) {
  const auto index = readShardIndex(index_path);
  if (!index) return index.error();
  const auto bad = [&](const std::string& what) { return Error{fmt::format("{}: {}", index_path.string(), what)}; };
  std::unique_ptr<JoinedSource> joined;
  std::size_t num_found = 0;
  for (const auto& file : index->files) {
    const auto path = index_path.parent_path() / file;
    std::error_code code;
    if (!fs::exists(path, code)) return bad(fmt::format("its file {} is missing; download it too", shownName(file)));
    auto source = openTensorFile(path);
    if (!source) return source.error();
    for (const auto& entry : (*source)->entries()) {
      const auto listed = index->file_of.find(entry.name);
      if (listed == index->file_of.end() || listed->second != file)
        return bad(fmt::format("tensor {} of {} is not listed there", shownName(entry.name), shownName(file)));
      ++num_found;
    }
    if (!joined) joined = std::make_unique<JoinedSource>(index_path, "sharded " + (*source)->format());
    joined->add(std::move(*source), "");
  }
  if (num_found != index->file_of.size()) {
    std::set<std::string_view> found;
    for (const auto& entry : joined->entries()) found.insert(entry.name);
    for (const auto& [name, file] : index->file_of)
      if (!found.contains(name))
        return bad(fmt::format("tensor {} is listed, but {} does not hold it", shownName(name), shownName(file)));
  }
  return Source(std::move(joined));
}

/// step_00001000 of a run: one file a group.
Result<Source> openRunCheckpoint(const fs::path& folder) {
  auto joined = std::make_unique<JoinedSource>(folder, "run checkpoint");
  for (const std::string group : {"model", "ema", "optimizer"}) {
    std::error_code code;
    const auto path = folder / (group + ".safetensors");
    if (!fs::exists(path, code)) continue;
    auto source = openTensorFile(path);
    if (!source) return source.error();
    joined->add(std::move(*source), group);
  }
  return Source(std::move(joined));
}

/// models--ORG--NAME of the hub's cache -> the folder of the snapshot that refs/main names, or of the only one.
Result<fs::path> snapshotOf(const fs::path& folder) {
  const auto snapshots = folder / "snapshots";
  std::error_code code;
  if (const auto ref = readFile(folder / "refs" / "main", 1024); ref) {
    auto commit = *ref;
    while (!commit.empty() && (commit.back() == '\n' || commit.back() == ' ')) commit.pop_back();
    const bool is_plain = !commit.empty() && commit.find('/') == std::string::npos && commit.front() != '.';
    if (is_plain && fs::is_directory(snapshots / commit, code)) return snapshots / commit;
  }
  std::vector<fs::path> found;
  for (auto it = fs::directory_iterator(snapshots, code); !code && it != fs::directory_iterator(); it.increment(code))
    if (it->is_directory(code)) found.push_back(it->path());
  if (found.size() == 1) return found.front();
  return Error{fmt::format("{}: holds {} snapshots and refs/main names none of them; give the folder of one",
                           folder.string(), found.size())};
}

Result<fs::path> weightsIn(const fs::path& folder) {
  constexpr auto kNames = std::to_array<std::string_view>(
      {"model.safetensors", "model.safetensors.index.json", "diffusion_pytorch_model.safetensors",
       "diffusion_pytorch_model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json",
       "diffusion_pytorch_model.bin"});
  std::error_code code;
  for (const auto name : kNames)
    if (fs::exists(folder / name, code)) return folder / name;
  std::vector<fs::path> found;
  for (auto it = fs::directory_iterator(folder, code); !code && it != fs::directory_iterator(); it.increment(code)) {
    const auto extension = it->path().extension().string();
    for (const auto* known : {".safetensors", ".pt", ".pth", ".ckpt", ".bin", ".npz"})
      if (extension == known && it->is_regular_file(code)) found.push_back(it->path());
  }
  if (code) return Error{fmt::format("{}: its files cannot be listed: {}", folder.string(), code.message())};
  if (found.size() == 1) return found.front();
  if (found.empty())
    return Error{
        fmt::format("{}: no weights in this folder (looked for model.safetensors, pytorch_model.bin and the like)",
                    folder.string())};
  std::sort(found.begin(), found.end());
  return Error{fmt::format("{}: {} files of weights in this folder ({}, ...); give one of them", folder.string(),
                           found.size(), shownName(found.front().filename().string()))};
}

}  // namespace

Result<Source> openTensorSource(const fs::path& path) {
  std::error_code code;
  if (!fs::exists(path, code)) return Error{fmt::format("{}: does not exist", path.string())};
  if (!fs::is_directory(path, code))
    return path.string().ends_with(".index.json") ? openShards(path) : openTensorFile(path);
  auto folder = path;
  if (fs::is_directory(path / "snapshots", code)) {
    auto snapshot = snapshotOf(path);
    if (!snapshot) return snapshot.error();
    folder = *snapshot;
  }
  if (fs::exists(folder / "state.json", code) && fs::exists(folder / "model.safetensors", code))
    return openRunCheckpoint(folder);
  const auto weights = weightsIn(folder);
  if (!weights) return weights.error();
  auto source = weights->string().ends_with(".index.json") ? openShards(*weights) : openTensorFile(*weights);
  if (!source) return source;
  if (const auto config = folder / "config.json"; fs::exists(config, code)) {
    auto text = readFile(config, 16 << 20);
    if (!text) return text.error();
    (*source)->config_json_ = std::move(*text);
  }
  return source;
}

}  // namespace meanflow::base
