// SPDX-License-Identifier: Apache-2.0
#include "core/base/config/field_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <numeric>
#include <type_traits>

namespace meanflow::base {
namespace {

class Collector {
 public:
  explicit Collector(FieldTable& table) : table_(table) {}

  template <class T>
  void field(std::string_view name, T& value, const FieldInfo& info) {
    // The array behind info.choices dies with the call; the words themselves are literals.
    table_.fields.push_back({prefix_ + std::string(name), &value, info.help, info.unit, info.min, info.max,
                             std::vector<std::string_view>(info.choices), info.min_items, info.max_items});
  }
  template <class S>
  void section(std::string_view name, S& value, std::string_view help) {
    table_.sections.push_back({prefix_ + std::string(name), help});
    const std::string outer = prefix_;
    prefix_ += std::string(name) + ".";
    describe(*this, value);
    prefix_ = outer;
  }

 private:
  FieldTable& table_;
  std::string prefix_;
};

Error mismatch(std::string expected, std::string_view seen) {
  return {fmt::format("expected {}, got '{}'", expected, seen), ErrorKind::kUsage};
}

Result<bool> parseBool(const RawScalar& raw) {
  std::string lower = raw.text;
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  if (!raw.is_quoted && lower == "true") return true;
  if (!raw.is_quoted && lower == "false") return false;
  return mismatch("true or false", raw.text);
}

Result<double> parseNumber(const RawScalar& raw) {
  std::string_view text = raw.text;
  if (text.starts_with('+')) text.remove_prefix(1);
  double value = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (raw.is_quoted || text.empty() || status != std::errc() || end != text.data() + text.size() ||
      !std::isfinite(value))
    return mismatch("a number", raw.text);
  return value;
}

Result<std::int64_t> parseInteger(const RawScalar& raw) {
  std::string_view text = raw.text;
  if (text.starts_with('+')) text.remove_prefix(1);
  std::int64_t value = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (!raw.is_quoted && !text.empty() && status == std::errc() && end == text.data() + text.size()) return value;
  // 1e6 is a fair way to write an integer as long as it is one.
  if (const auto number = parseNumber(raw); number && *number == std::floor(*number) && std::abs(*number) < 9e15)
    return static_cast<std::int64_t>(*number);
  return mismatch("an integer", raw.text);
}

Result<void> checkRange(const FieldRef& field, double value) {
  if (value >= field.min && value <= field.max) return {};
  if (std::isinf(field.max))
    return mismatch(fmt::format("a value of at least {}", field.min), fmt::format("{}", value));
  if (std::isinf(field.min)) return mismatch(fmt::format("a value of at most {}", field.max), fmt::format("{}", value));
  return mismatch(fmt::format("a value from {} to {}", field.min, field.max), fmt::format("{}", value));
}

Result<void> checkChoice(const FieldRef& field, const std::string& value) {
  if (field.choices.empty() || std::find(field.choices.begin(), field.choices.end(), value) != field.choices.end())
    return {};
  auto error = mismatch(fmt::format("one of {}", fmt::join(field.choices, ", ")), value);
  const auto guess = nearest(value, std::vector<std::string>(field.choices.begin(), field.choices.end()));
  if (!guess.empty()) error.message += fmt::format("; did you mean '{}'?", guess);
  return error;
}

template <class T>
Result<T> parseOne(const FieldRef& field, const RawScalar& raw) {
  if constexpr (std::is_same_v<T, bool>) {
    return parseBool(raw);
  } else if constexpr (std::is_same_v<T, std::int64_t> || std::is_same_v<T, double>) {
    Result<T> value = [&]() -> Result<T> {
      if constexpr (std::is_same_v<T, double>)
        return parseNumber(raw);
      else
        return parseInteger(raw);
    }();
    if (!value) return value;
    if (auto in_range = checkRange(field, static_cast<double>(*value)); !in_range) return in_range.error();
    return value;
  } else {
    if (auto known = checkChoice(field, raw.text); !known) return known.error();
    return raw.text;
  }
}

template <class T>
Result<void> assignTo(T& target, const FieldRef& field, const RawValue& raw) {
  if (raw.is_list) return mismatch("a single value", "a list");
  auto value = parseOne<T>(field, raw.items.front());
  if (!value) return value.error();
  target = *value;
  return {};
}

template <class T>
Result<void> assignTo(std::vector<T>& target, const FieldRef& field, const RawValue& raw) {
  if (!raw.is_list) return mismatch("a list such as [a, b]", raw.items.front().text);
  if (raw.items.size() < field.min_items || (field.max_items > 0 && raw.items.size() > field.max_items))
    return mismatch(fmt::format("a list of {} to {} values", field.min_items, field.max_items),
                    fmt::format("{}", raw.items.size()));
  std::vector<T> values;
  for (const auto& item : raw.items) {
    auto value = parseOne<T>(field, item);
    if (!value) return value.error();
    values.push_back(*value);
  }
  target = std::move(values);
  return {};
}

bool isPlainSafe(const std::string& text) {
  constexpr std::string_view kReserved[] = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"};
  if (text.empty() || !(std::isalpha(static_cast<unsigned char>(text[0])) || text[0] == '/')) return false;
  std::string lower = text;
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  if (std::find(std::begin(kReserved), std::end(kReserved), lower) != std::end(kReserved)) return false;
  return std::all_of(text.begin(), text.end(),
                     [](unsigned char c) { return std::isalnum(c) || c == '_' || c == '-' || c == '.' || c == '/'; });
}

std::string quote(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\')
      out += '\\', out += c;
    else if (c == '\n')
      out += "\\n";
    else if (c == '\t')
      out += "\\t";
    else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    else
      out += c;
  }
  return out + "\"";
}

std::string formatOne(bool value) { return value ? "true" : "false"; }
std::string formatOne(std::int64_t value) { return fmt::format("{}", value); }
std::string formatOne(double value) { return fmt::format("{}", value); }  // shortest text that reads back exactly
std::string formatOne(const std::string& value) { return isPlainSafe(value) ? value : quote(value); }
template <class T>
std::string formatOne(const std::vector<T>& values) {
  std::vector<std::string> texts;
  for (const auto& value : values) texts.push_back(formatOne(value));
  return fmt::format("[{}]", fmt::join(texts, ", "));
}

std::string_view lastPart(std::string_view key) {
  const auto dot = key.rfind('.');
  return dot == std::string_view::npos ? key : key.substr(dot + 1);
}

}  // namespace

const FieldRef* FieldTable::find(std::string_view key) const {
  const auto it = std::find_if(fields.begin(), fields.end(), [&](const FieldRef& field) { return field.key == key; });
  return it == fields.end() ? nullptr : &*it;
}

bool FieldTable::isSection(std::string_view key) const {
  return std::any_of(sections.begin(), sections.end(), [&](const SectionRef& section) { return section.key == key; });
}

FieldTable fieldTable(RunConfig& config) {
  FieldTable table;
  Collector collector(table);
  describe(collector, config);
  return table;
}

Result<void> assign(const FieldRef& field, const RawValue& value) {
  return std::visit([&](auto* target) { return assignTo(*target, field, value); }, field.value);
}

std::string formatValue(const FieldPointer& value) {
  return std::visit([](const auto* target) { return formatOne(*target); }, value);
}

std::string_view typeName(const FieldPointer& value) {
  constexpr std::array<std::string_view, 6> kNames = {"boolean", "integer", "number", "text", "integers", "texts"};
  return kNames[value.index()];
}

std::size_t editDistance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substitution = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({substitution, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(2, word.size() / 3) + 1;
  for (const auto& candidate : candidates) {
    const auto distance = editDistance(word.substr(0, 200), candidate);
    if (distance < best_distance) best_distance = distance, best = candidate;
  }
  return best;
}

std::string nearestKey(std::string_view key, const FieldTable& table) {
  std::vector<std::string> keys;
  for (const auto& field : table.fields) keys.push_back(field.key);
  for (const auto& section : table.sections) keys.push_back(section.key);
  if (auto close = nearest(key, keys); !close.empty() && editDistance(key, close) <= 3) return close;
  for (const auto& candidate : keys)  // the right name in the wrong section
    if (lastPart(candidate) == lastPart(key)) return candidate;
  // A slip in the last name alone, judged by that name's length: "teacher.training.learning" is not near to
  // ".log_every".
  const auto parent = key.substr(0, key.size() - lastPart(key).size());
  std::vector<std::string> siblings;
  for (const auto& candidate : keys)
    if (candidate.starts_with(parent) && candidate.find('.', parent.size()) == std::string::npos)
      siblings.push_back(candidate.substr(parent.size()));
  const auto sibling = nearest(lastPart(key), siblings);
  return sibling.empty() ? nearest(key, keys) : std::string(parent) + sibling;
}

}  // namespace meanflow::base
