// SPDX-License-Identifier: Apache-2.0
#include "core/base/formats/shard_index.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/base/formats/stored_tensor.h"
#include "core/base/run/atomic_file.h"

namespace meanflow::base {
namespace {
constexpr std::size_t kMaxIndexBytes = 32 << 20, kMaxFiles = 4096, kMaxShardTensors = 1'000'000;
}

Result<ShardIndex> parseShardIndex(std::string_view json_text) {
  using Json = nlohmann::json;
  std::size_t num_keys = 0;
  bool is_bomb = json_text.size() > kMaxIndexBytes;
  const auto watch = [&](int depth, Json::parse_event_t event, Json&) {
    num_keys += event == Json::parse_event_t::key;
    is_bomb = is_bomb || depth > 8 || num_keys > kMaxShardTensors;
    return !is_bomb;  // false: parsed on, but not kept
  };
  const auto json = is_bomb ? Json() : Json::parse(json_text, watch, false);
  if (is_bomb) return Error{"too large or nested too deeply for a shard index"};
  if (!json.is_object() || !json.contains("weight_map") || !json["weight_map"].is_object())
    return Error{"not a shard index (a JSON object with a weight_map)"};
  ShardIndex index;
  for (const auto& [name, file] : json["weight_map"].items()) {
    if (!file.is_string()) return Error{fmt::format("tensor {}: its file is not a text", shownName(name))};
    const auto text = file.get<std::string>();
    if (text.empty() || text.find('/') != std::string::npos || text.front() == '.' ||
        text.find('\0') != std::string::npos)
      return Error{fmt::format("tensor {}: its file {} is not a plain file name beside the index", shownName(name),
                               shownName(text))};
    index.file_of.emplace(name, text);
    index.files.insert(text);
    if (index.files.size() > kMaxFiles) return Error{fmt::format("more than {} files", kMaxFiles)};
  }
  if (index.files.empty()) return Error{"its weight_map lists no tensor"};
  return index;
}

Result<ShardIndex> readShardIndex(const std::filesystem::path& path) {
  const auto text = readFile(path, kMaxIndexBytes);
  if (!text) return text.error();
  auto index = parseShardIndex(*text);
  if (!index) return Error{fmt::format("{}: {}", path.string(), index.error().message)};
  return index;
}

}  // namespace meanflow::base
