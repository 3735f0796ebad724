// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace meanflow::base {

/// A checkpoint in several files: {"metadata": {...}, "weight_map": {"blocks.0.weight":
/// "model-00001-of-00002.safetensors"}}.
struct ShardIndex {
  std::map<std::string, std::string> file_of;  ///< By tensor name; plain file names, beside the index.
  std::set<std::string> files;
};

/// Errors lack the file's name: text that is no JSON object with a weight_map of texts, file names that lead elsewhere
/// ("../x", "/x"), more than 4096 files, no tensor at all.
Result<ShardIndex> parseShardIndex(std::string_view json_text);
Result<ShardIndex> readShardIndex(const std::filesystem::path& path);

}  // namespace meanflow::base
