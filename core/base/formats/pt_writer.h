// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "core/base/formats/safetensors.h"
#include "core/base/formats/zip_writer.h"
#include "core/base/result.h"

namespace meanflow::base {

/// What a .pt file is to hold under one key: a tensor (the spec's name is not used), a plain value, or a dictionary.
struct PtItem {
  using Dict = std::vector<PtItem>;
  std::string key;
  std::variant<TensorSpec, Dict, std::int64_t, double, bool, std::string> value;
};

/// Writes a .pt file as torch.save does since 1.6 (plain nested dictionaries, one storage a tensor), tensor by tensor,
/// so that only the one being written need be in memory. torch.load(..., weights_only=True) reads it. Appears under its
/// name only after commit().
class PtWriter {
 public:
  /// Error for an unknown dtype, a shape that overflows, a key given twice in one dictionary.
  static Result<PtWriter> create(const std::filesystem::path& target, const PtItem::Dict& root);
  /// The whole next tensor, row by row, in the order in which the dictionaries list them (depth first).
  Result<void> append(std::span<const std::byte> bytes);
  Result<void> commit();

 private:
  PtWriter(std::filesystem::path target, std::vector<TensorSpec> tensors, ZipWriter zip)
      : target_(std::move(target)), tensors_(std::move(tensors)), zip_(std::move(zip)) {}
  std::filesystem::path target_;
  std::vector<TensorSpec> tensors_;  ///< Named by their path.
  ZipWriter zip_;
  std::size_t num_appended_ = 0;
};

}  // namespace meanflow::base
