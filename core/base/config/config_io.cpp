// SPDX-License-Identifier: Apache-2.0
#include "core/base/config/config_io.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "core/base/config/field_table.h"
#include "core/base/config/official_config.h"
#include "core/base/config/resources.h"
#include "core/base/config/yaml_tree.h"

namespace meanflow::base {
namespace {

Error usage(std::string message) { return {std::move(message), ErrorKind::kUsage}; }

std::string unknownKeyText(std::string_view key, const FieldTable& table) {
  const auto guess = nearestKey(key, table);
  return fmt::format("unknown key{}", guess.empty() ? std::string() : fmt::format("; did you mean '{}'?", guess));
}

class YamlReader {
 public:
  YamlReader(const FieldTable& table, const std::string& source_name) : table_(table), source_name_(source_name) {}

  Result<void> readSection(const YamlNode& node, const std::string& prefix) {
    for (std::size_t i = 0; i < node.keys.size(); ++i) {
      const YamlNode& value = node.items[i];
      const int line = node.keys[i].line;
      const std::string key = prefix + node.keys[i].text;
      if (const auto [seen, is_new] = lines_.emplace(key, line); !is_new)
        return at(line, key, fmt::format("duplicate key, first given in line {}", seen->second));
      if (auto read = readEntry(key, line, value); !read) return read;
    }
    return {};
  }

 private:
  Result<void> readEntry(const std::string& key, int line, const YamlNode& value) {
    if (table_.isSection(key)) {
      if (value.isMap()) return readSection(value, key + ".");
      return at(line, key,
                fmt::format("expected a section with keys below it, got '{}'", value.isScalar() ? value.text
                                                                               : value.isNull() ? "nothing"
                                                                                                : "a list"));
    }
    const FieldRef* field = table_.find(key);
    if (field == nullptr) {
      const std::string seen = value.isScalar() ? fmt::format(" (value '{}')", value.text.substr(0, 60)) : "";
      return at(line, key, unknownKeyText(key, table_) + seen);
    }
    const auto raw = rawValue(value);
    if (!raw) return at(line, key, raw.error().message);
    const auto assigned = assign(*field, *raw);
    return assigned ? assigned : at(line, key, assigned.error().message);
  }
  Error at(int line, const std::string& key, const std::string& what) const {
    return usage(fmt::format("{}:{}: {}: {}", source_name_, line, key, what));
  }

  const FieldTable& table_;
  const std::string& source_name_;
  std::map<std::string, int> lines_;
};

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

bool isList(const FieldPointer& value) {
  return std::holds_alternative<std::vector<std::int64_t>*>(value) ||
         std::holds_alternative<std::vector<std::string>*>(value);
}

Result<RawValue> rawFromText(std::string_view text, bool is_list) {
  text = trimmed(text);
  const bool is_wrapped = !text.empty() && (text.front() == '[' || text.front() == '"' || text.front() == '\'');
  if (is_wrapped) {
    const auto node = parseYaml(text, "value");
    if (!node) return node.error();
    return rawValue(*node);
  }
  if (!is_list) return RawValue{false, {{std::string(text), false}}};
  RawValue list{true, {}};
  while (!text.empty()) {
    const auto comma = text.find(',');
    list.items.push_back({std::string(trimmed(text.substr(0, comma))), false});
    text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
  }
  return list;
}

bool looksLikePreset(const std::string& name) {
  return name.find('/') == std::string::npos && !name.ends_with(".yaml") && !name.ends_with(".yml");
}

}  // namespace

Result<std::string> configPath(const std::string& path_or_preset) {
  if (!looksLikePreset(path_or_preset)) return path_or_preset;
  if (const auto preset = resourcePath("presets/" + path_or_preset + ".yaml")) return preset->string();
  if (std::filesystem::exists(path_or_preset)) return path_or_preset;
  const auto names = presetNames();
  const auto guess = nearest(path_or_preset, names);
  return usage(fmt::format("no preset and no file named '{}'{}; presets: {}", path_or_preset,
                           guess.empty() ? "" : fmt::format("; did you mean '{}'?", guess), fmt::join(names, ", ")));
}

Result<RunConfig> loadConfig(const std::string& path_or_preset, const std::vector<std::string>& overrides) {
  const auto path = configPath(path_or_preset);
  if (!path) return path.error();
  const auto text = readYamlText(*path);
  if (!text) return text.error();
  return parseConfig(*text, *path, overrides);
}

Result<RunConfig> parseConfig(std::string_view yaml_text, const std::string& source_name,
                              const std::vector<std::string>& overrides) {
  const auto root = parseYaml(yaml_text, source_name);
  if (!root) return root.error();
  RunConfig config;
  if (isOfficialConfig(*root)) {
    auto official = convertOfficialConfig(*root, source_name, {.overrides = overrides});
    if (!official) return official.error();
    config = std::move(official->config);
  } else if (!root->isNull()) {
    if (!root->isMap())
      return usage(fmt::format("{}:{}: expected 'key: value' lines at the top", source_name, root->line));
    const auto table = fieldTable(config);
    if (auto read = YamlReader(table, source_name).readSection(*root, ""); !read) return read.error();
  }
  for (const auto& assignment : overrides)
    if (auto applied = applyOverride(config, assignment); !applied) return applied.error();
  return config;
}

std::string toYaml(const RunConfig& config) {
  RunConfig copy = config;
  const auto table = fieldTable(copy);
  std::string out;
  std::string open_section;  // the section that the last line belongs to, "" or "a.b."
  for (const auto& field : table.fields) {
    const auto dot = field.key.rfind('.');
    const std::string section = dot == std::string::npos ? "" : field.key.substr(0, dot + 1);
    for (std::size_t start = 0; start < section.size();) {  // head lines of sections that begin here
      const auto end = section.find('.', start);
      if (!open_section.starts_with(section.substr(0, end + 1))) {
        const auto depth = std::count(section.begin(), section.begin() + static_cast<std::ptrdiff_t>(start), '.');
        out += std::string(2 * static_cast<std::size_t>(depth), ' ') + section.substr(start, end - start) + ":\n";
      }
      start = end + 1;
    }
    open_section = section;
    const auto depth = static_cast<std::size_t>(std::count(section.begin(), section.end(), '.'));
    out += std::string(2 * depth, ' ') + field.key.substr(section.size()) + ": " + formatValue(field.value) + "\n";
  }
  return out;
}

Result<void> setValue(RunConfig& config, std::string_view key, std::string_view text) {
  const auto table = fieldTable(config);
  const FieldRef* field = table.find(key);
  if (field == nullptr)
    return usage(
        fmt::format("{}: {}", key, table.isSection(key) ? "is a section, not a value" : unknownKeyText(key, table)));
  const auto raw = rawFromText(text, isList(field->value));
  if (!raw) return usage(fmt::format("{}: {}", key, raw.error().message));
  if (auto assigned = assign(*field, *raw); !assigned)
    return usage(fmt::format("{}: {}", key, assigned.error().message));
  return {};
}

Result<void> applyOverride(RunConfig& config, std::string_view assignment) {
  const auto equals = assignment.find('=');
  if (equals == std::string_view::npos || equals == 0)
    return usage(fmt::format("expected KEY=VALUE, got '{}'", assignment));
  return setValue(config, trimmed(assignment.substr(0, equals)), assignment.substr(equals + 1));
}

Result<std::string> getValue(const RunConfig& config, std::string_view key) {
  RunConfig copy = config;
  const auto table = fieldTable(copy);
  const FieldRef* field = table.find(key);
  if (field == nullptr) return usage(fmt::format("{}: {}", key, unknownKeyText(key, table)));
  return formatValue(field->value);
}

std::vector<FieldDoc> schema() {
  RunConfig defaults;
  std::vector<FieldDoc> docs;
  for (const auto& field : fieldTable(defaults).fields)
    docs.push_back({field.key, std::string(typeName(field.value)), formatValue(field.value), field.min, field.max,
                    std::string(field.unit), std::string(field.help),
                    std::vector<std::string>(field.choices.begin(), field.choices.end())});
  return docs;
}

std::vector<SectionDoc> schemaSections() {
  RunConfig defaults;
  std::vector<SectionDoc> docs;
  for (const auto& section : fieldTable(defaults).sections) docs.push_back({section.key, std::string(section.help)});
  return docs;
}

std::vector<ConfigDifference> difference(const RunConfig& a, const RunConfig& b) {
  RunConfig copy_a = a, copy_b = b;
  const auto table_a = fieldTable(copy_a), table_b = fieldTable(copy_b);
  std::vector<ConfigDifference> found;
  for (std::size_t i = 0; i < table_a.fields.size(); ++i) {
    auto text_a = formatValue(table_a.fields[i].value), text_b = formatValue(table_b.fields[i].value);
    if (text_a != text_b) found.push_back({table_a.fields[i].key, std::move(text_a), std::move(text_b)});
  }
  return found;
}

std::vector<std::string> presetNames() {
  std::vector<std::string> names;
  const auto folder = resourcePath("presets");
  if (!folder) return names;
  std::error_code code;
  for (const auto& entry : std::filesystem::directory_iterator(*folder, code))
    if (entry.path().extension() == ".yaml") names.push_back(entry.path().stem().string());
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace meanflow::base
