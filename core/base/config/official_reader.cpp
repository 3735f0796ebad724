// SPDX-License-Identifier: Apache-2.0
#include "core/base/config/official_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "core/base/config/config_io.h"
#include "core/base/config/field_table.h"

namespace meanflow::base {
namespace {

/// The text a person wrote, for the report.
std::string written(const YamlNode& node) {
  if (node.isScalar()) return node.text;
  if (node.isNull()) return "null";
  if (node.isMap()) return "{...}";
  std::string text;
  for (const auto& item : node.items) text += (text.empty() ? "" : ", ") + written(item);
  return "[" + text + "]";
}

/// A value in our YAML's syntax: texts that YAML would read as something else are quoted.
std::string asValueText(const YamlNode& node) {
  if (node.isScalar() &&
      (node.text.empty() || node.text.front() == '[' || node.text.front() == '"' || node.text.front() == '\'')) {
    std::string text = node.text;
    return formatValue(&text);
  }
  return written(node);
}

}  // namespace

std::string listText(const std::vector<std::int64_t>& values) { return fmt::format("[{}]", fmt::join(values, ", ")); }

const YamlNode* OfficialReader::find(std::string_view key) const {
  const YamlNode* node = &root_;
  for (std::size_t start = 0; node != nullptr && start <= key.size();) {
    const auto dot = std::min(key.find('.', start), key.size());
    node = node->find(key.substr(start, dot - start));
    start = dot + 1;
  }
  return node == nullptr || node->isNull() ? nullptr : node;
}

const YamlNode* OfficialReader::take(const std::string& key) {
  known_.insert(key);
  const YamlNode* node = find(key);
  if (node != nullptr && node->isScalar() && node->text.find("${") != std::string::npos) {
    fail(key, "interpolations (${...}) are not resolved; write the value out");
    return nullptr;
  }
  return node;
}

template <class T>
std::optional<T> OfficialReader::read(const std::string& key) {
  const YamlNode* node = take(key);
  if (node == nullptr) return std::nullopt;
  const auto raw = rawValue(*node);
  if (!raw) return fail(key, raw.error().message), std::nullopt;
  T value{};
  const double none = std::numeric_limits<double>::infinity();
  if (auto assigned =
          assign({.key = key, .value = &value, .help = {}, .unit = {}, .min = -none, .max = none, .choices = {}}, *raw);
      !assigned)
    return fail(key, assigned.error().message), std::nullopt;
  return value;
}

std::optional<std::string> OfficialReader::text(const std::string& key) { return read<std::string>(key); }
std::optional<double> OfficialReader::number(const std::string& key) { return read<double>(key); }
std::optional<std::int64_t> OfficialReader::integer(const std::string& key) { return read<std::int64_t>(key); }
std::optional<bool> OfficialReader::boolean(const std::string& key) { return read<bool>(key); }
std::optional<std::vector<std::int64_t>> OfficialReader::integers(const std::string& key) {
  if (const auto* node = find(key); node != nullptr && node->isScalar()) {
    const auto one = integer(key);  // one number stands for a list of one
    return one ? std::optional(std::vector{*one}) : std::nullopt;
  }
  return read<std::vector<std::int64_t>>(key);
}

std::optional<std::vector<double>> OfficialReader::numbers(const std::string& key) {
  const YamlNode* node = take(key);
  if (node == nullptr) return std::nullopt;
  std::vector<double> values;
  for (const auto& item : node->items) {
    double value = 0;
    const double none = std::numeric_limits<double>::infinity();
    const FieldRef field{.key = key, .value = &value, .help = {}, .unit = {}, .min = -none, .max = none, .choices = {}};
    const auto raw = rawValue(item);
    const auto assigned = raw ? assign(field, *raw) : Result<void>(raw.error());
    if (!assigned) return fail(key, assigned.error().message), std::nullopt;
    values.push_back(value);
  }
  if (node->kind != YamlNode::Kind::kList) return fail(key, "expected a list of numbers"), std::nullopt;
  return values;
}

void OfficialReader::copy(const std::string& key, const std::string& ours, const std::string& fallback,
                          const std::string& note) {
  if (const YamlNode* node = take(key)) {
    if (node->isMap()) return fail(key, "expected a value, got a section");
    set(key, ours, asValueText(*node), note);
  } else if (!fallback.empty()) {
    set(key, ours, fallback, note.empty() ? "default of the released code" : note);
  }
}

void OfficialReader::set(const std::string& key, const std::string& ours, const std::string& value,
                         const std::string& note) {
  known_.insert(key);
  if (auto done = setValue(config(), ours, value); !done) {
    const std::string own_key = ours + ": ";  // the official key is named instead
    const auto& message = done.error().message;
    return fail(key, message.starts_with(own_key) ? message.substr(own_key.size()) : message);
  }
  out_.mappings.push_back({key, lineOf(key), writtenValue(key), ours, *getValue(config(), ours), note});
}

void OfficialReader::constant(const std::string& ours, const std::string& value, const std::string& note) {
  if (auto done = setValue(config(), ours, value); !done) return fail("", done.error().message);
  out_.mappings.push_back({"", 0, "", ours, *getValue(config(), ours), note});
}

void OfficialReader::ignore(const std::string& key, const std::string& reason) {
  known_.insert(key);
  if (find(key) != nullptr) out_.mappings.push_back({key, lineOf(key), writtenValue(key), "", "", reason});
}

void OfficialReader::fail(const std::string& key, const std::string& what) {
  if (error_) return;
  const int line = key.empty() ? 0 : lineOf(key);
  const std::string place = line > 0 ? fmt::format("{}:{}", source_name_, line) : source_name_;
  error_ = Error{key.empty() ? fmt::format("{}: {}", place, what) : fmt::format("{}: {}: {}", place, key, what),
                 ErrorKind::kUsage};
}

int OfficialReader::lineOf(const std::string& key) const {
  const auto* node = find(key);
  return node == nullptr ? 0 : node->line;
}

std::string OfficialReader::writtenValue(const std::string& key) const {
  const auto* node = find(key);
  return node == nullptr ? std::string() : written(*node);
}

Result<void> OfficialReader::checkKeys(const YamlNode& node, const std::string& prefix) const {
  std::map<std::string, int> lines;
  for (std::size_t i = 0; i < node.keys.size(); ++i) {
    const std::string key = prefix + node.keys[i].text;
    const int line = node.keys[i].line;
    if (const auto [seen, is_new] = lines.emplace(key, line); !is_new)
      return Error{
          fmt::format("{}:{}: {}: duplicate key, first given in line {}", source_name_, line, key, seen->second),
          ErrorKind::kUsage};
    const bool is_one_word =
        node.keys[i].text.find('.') == std::string::npos;  // "stage_1.ckpt: x" is no section stage_1
    if (is_one_word && known_.contains(key)) continue;
    const auto below = known_.lower_bound(key + ".");
    if (is_one_word && below != known_.end() && below->starts_with(key + ".")) {  // a section
      const YamlNode& section = node.items[i];
      if (section.isNull()) continue;
      if (!section.isMap())
        return Error{fmt::format("{}:{}: {}: expected a section with keys below it, got '{}'", source_name_, line, key,
                                 written(section)),
                     ErrorKind::kUsage};
      if (auto checked = checkKeys(section, key + "."); !checked) return checked;
      continue;
    }
    // Names of the same section first: they are what a slip was meant to be.
    std::vector<std::string> siblings;
    for (const auto& name : known_)
      if (name.starts_with(prefix))
        siblings.push_back(prefix + name.substr(prefix.size(), name.find('.', prefix.size()) - prefix.size()));
    if (prefix.empty())
      for (const char* section :
           {"stage_1", "stage_2", "transport", "sampler", "guidance", "misc", "training", "eval", "gan"})
        siblings.emplace_back(section);  // also those that this file has no use for
    std::string guess = nearest(key, siblings);
    if (guess.empty()) guess = nearest(key, std::vector<std::string>(known_.begin(), known_.end()));
    return Error{fmt::format("{}:{}: {}: unknown key of an official configuration{}", source_name_, line, key,
                             guess.empty() ? std::string() : fmt::format("; did you mean '{}'?", guess)),
                 ErrorKind::kUsage};
  }
  return {};
}

Result<void> OfficialReader::finish() const {
  if (auto checked = checkKeys(root_, ""); !checked) return checked;
  if (error_) return *error_;
  return {};
}

}  // namespace meanflow::base
