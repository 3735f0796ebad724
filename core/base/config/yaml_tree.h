// SPDX-License-Identifier: Apache-2.0
//
// YAML as plain values with line numbers. The tree is built straight from the parser's events under limits, so a
// hostile file costs no more than its own length: nothing is expanded, because anchors, aliases and tags are refused.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "core/base/config/field_table.h"
#include "core/base/result.h"

namespace meanflow::base {

struct YamlKey {
  std::string text;
  int line = 0;
};

struct YamlNode {
  enum class Kind { kNull, kScalar, kList, kMap };
  Kind kind = Kind::kNull;
  std::string text;             ///< Of a scalar.
  bool is_quoted = false;       ///< Of a scalar: "5" is text, 5 a number.
  int line = 1;                 ///< 1-based.
  std::vector<YamlNode> items;  ///< Entries of a list, or values of a map.
  std::vector<YamlKey> keys;    ///< Of a map, one for each item, in the order of the file, duplicates included.

  bool isMap() const { return kind == Kind::kMap; }
  bool isScalar() const { return kind == Kind::kScalar; }
  bool isNull() const { return kind == Kind::kNull; }
  /// The first value under `key`, or null when this is no map or has no such key.
  const YamlNode* find(std::string_view key) const;
};

inline constexpr std::size_t kMaxYamlBytes = 1 << 20;
inline constexpr int kMaxYamlDepth = 32;
inline constexpr std::size_t kMaxYamlNodes = 100'000;

/// One document; an empty text is a null node. Refused with file:line: more than kMaxYamlBytes, kMaxYamlDepth levels or
/// kMaxYamlNodes values, anchors, aliases, tags, keys that are no single word, a second document.
Result<YamlNode> parseYaml(std::string_view text, const std::string& source_name);

/// Text of a file of at most kMaxYamlBytes.
Result<std::string> readYamlText(const std::string& path);

/// A scalar or a list of scalars as a person's value.
Result<RawValue> rawValue(const YamlNode& node);

}  // namespace meanflow::base
