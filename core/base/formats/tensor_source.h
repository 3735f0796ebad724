// SPDX-License-Identifier: Apache-2.0
//
// One face for every kind of file that holds named tensors. openTensorSource tells the kind from the bytes, not from
// the extension.
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/base/result.h"

namespace meanflow::base {

struct TensorEntry {
  std::string name;   ///< Full, keys of nested dictionaries joined by dots: "ema.blocks.0.norm1.weight".
  std::string dtype;  ///< As in stored_tensor.h.
  std::vector<std::int64_t> shape;
  std::uint64_t num_bytes = 0;  ///< Row by row, without holes.
};

/// Named tensors in a file or folder. Opening reads names and shapes, read() one tensor's bytes.
class TensorSource {
 public:
  virtual ~TensorSource() = default;

  const std::filesystem::path& path() const { return path_; }
  /// "safetensors", "torch zip", "torch stream", "numpy", "sharded ...", "run checkpoint".
  const std::string& format() const { return format_; }
  /// In the file's order; no two of one name.
  const std::vector<TensorEntry>& entries() const { return entries_; }
  /// Keys under which the outermost dictionary holds dictionaries ("model", "ema", "opt"), or the files of a run
  /// checkpoint; prefixes of the names above.
  const std::vector<std::string>& groups() const { return groups_; }
  /// What stands beside the tensors, as texts: metadata of safetensors, plain values of a .pt file ("train_steps"
  /// "1234", "args.model" "SiT-XL/2").
  const std::vector<std::pair<std::string, std::string>>& values() const { return values_; }
  /// What was found but cannot be read as a tensor, and why; such files are open all the same.
  const std::vector<std::string>& unreadable() const { return unreadable_; }
  /// The text of the config.json beside the weights (a Hugging Face folder), empty where there is none.
  const std::string& configJson() const { return config_json_; }

  /// Copies entry `i` row by row in the machine's byte order to `out`, which has num_bytes bytes. The error names file
  /// and tensor. Not for several threads at once.
  virtual Result<void> read(std::size_t i, std::span<std::byte> out) = 0;

 protected:
  friend Result<std::unique_ptr<TensorSource>> openTensorSource(const std::filesystem::path& path);
  std::filesystem::path path_;
  std::string format_, config_json_;
  std::vector<TensorEntry> entries_;
  std::vector<std::pair<std::string, std::string>> values_;
  std::vector<std::string> groups_, unreadable_;
};

/// Opens a single file: safetensors, .pt/.pth/.ckpt/.bin (both formats of torch.save), .npz, .npy. Says what a file is
/// that looks like something else (a Git LFS pointer, a web page, a TorchScript program).
Result<std::unique_ptr<TensorSource>> openTensorFile(const std::filesystem::path& path);

/// Opens a single file; a shard index (*.safetensors.index.json, *.bin.index.json); a folder with weights and perhaps a
/// config.json (Hugging Face, diffusers); a hub cache entry (models--ORG--NAME, the snapshot that refs/main names); or
/// a checkpoint of a run, whose files become the groups model, ema and optimizer.
Result<std::unique_ptr<TensorSource>> openTensorSource(const std::filesystem::path& path);

}  // namespace meanflow::base
