// SPDX-License-Identifier: Apache-2.0
//
// The configuration as a flat list of addressable fields, gathered by a visitor over the `describe` functions.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/base/config/run_config.h"
#include "core/base/result.h"

namespace meanflow::base {

using FieldPointer =
    std::variant<bool*, std::int64_t*, double*, std::string*, std::vector<std::int64_t>*, std::vector<std::string>*>;

/// One setting of a particular RunConfig: where it lives and what it accepts. Valid as long as that RunConfig.
struct FieldRef {
  std::string key;  ///< Dotted, e.g. "teacher.training.lr".
  FieldPointer value;
  std::string_view help, unit;
  double min = 0, max = 0;
  std::vector<std::string_view> choices;
  std::size_t min_items = 0, max_items = 0;  ///< Lists; max_items 0 = any number.
};
struct SectionRef {
  std::string key;
  std::string_view help;
};
struct FieldTable {
  std::vector<FieldRef> fields;      ///< In the order of description.
  std::vector<SectionRef> sections;  ///< Parents before children.
  const FieldRef* find(std::string_view key) const;
  bool isSection(std::string_view key) const;
};
FieldTable fieldTable(RunConfig& config);

/// A value as written by a person, before it is understood.
struct RawScalar {
  std::string text;
  bool is_quoted = false;  ///< A quoted "5" is text, not a number.
};
struct RawValue {
  bool is_list = false;
  std::vector<RawScalar> items;  ///< One unless a list.
};

/// Checks type, range and choices, then stores. The error says what was expected and seen, without the key.
Result<void> assign(const FieldRef& field, const RawValue& value);

/// YAML text of the present value: `0.002`, `true`, `[96, 128]`, `"a b"`.
std::string formatValue(const FieldPointer& value);
/// "integer", "number", "boolean", "text", "integers", "texts".
std::string_view typeName(const FieldPointer& value);

/// Number of single-letter insertions, deletions and substitutions between two words.
std::size_t editDistance(std::string_view a, std::string_view b);
/// The candidate nearest to `word`, or empty when none is near enough to be what was meant.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);
/// The known dotted key nearest to `key`: a small slip, or the same last name in another section.
std::string nearestKey(std::string_view key, const FieldTable& table);

}  // namespace meanflow::base
