// SPDX-License-Identifier: Apache-2.0
#include "core/base/config/config_io.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "core/base/config/field_table.h"
#include "core/base/config/resources.h"

namespace meanflow::base {
namespace {

constexpr std::size_t kMaxTextBytes = 1 << 20;
constexpr int kMaxDepth = 32;

Error usage(std::string message) { return {std::move(message), ErrorKind::kUsage}; }

struct Refusal {
  int line;
  std::string why;
};

/// Looks at the parser's events before any tree is built, so that a hostile file costs no more than its own length.
class SafetyCheck final : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++num_documents_ > 1) throw Refusal{mark.line + 1, "expected one YAML document, got a second"};
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { refuseAnchor(mark, anchor); }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    throw Refusal{mark.line + 1, "aliases (*name) are not accepted; write the value out"};
  }
  void OnScalar(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor, const std::string&) override {
    refuseAnchor(mark, anchor);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    enter(mark, anchor);
  }
  void OnSequenceEnd() override { --depth_; }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    enter(mark, anchor);
  }
  void OnMapEnd() override { --depth_; }

 private:
  void refuseAnchor(const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (anchor != 0) throw Refusal{mark.line + 1, "anchors (&name) are not accepted; write the value out"};
  }
  void enter(const YAML::Mark& mark, YAML::anchor_t anchor) {
    refuseAnchor(mark, anchor);
    if (++depth_ > kMaxDepth) throw Refusal{mark.line + 1, fmt::format("nested deeper than {} levels", kMaxDepth)};
  }
  int num_documents_ = 0;
  int depth_ = 0;
};

Result<YAML::Node> parseYaml(std::string_view text, const std::string& source_name) {
  if (text.size() > kMaxTextBytes)
    return usage(fmt::format("{}: a configuration of {} bytes is refused (at most {})", source_name, text.size(),
                             kMaxTextBytes));
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    SafetyCheck check;
    while (parser.HandleNextDocument(check)) {
    }
    return YAML::Load(std::string(text));
  } catch (const Refusal& refusal) {
    return usage(fmt::format("{}:{}: {}", source_name, refusal.line, refusal.why));
  } catch (const YAML::Exception& e) {
    return usage(fmt::format("{}:{}: not valid YAML: {}", source_name, e.mark.line + 1, e.msg));
  }
}

Result<RawValue> rawValue(const YAML::Node& node) {
  // yaml-cpp tags a plain scalar "?" and a quoted one "!".
  const auto scalar = [](const YAML::Node& n) { return RawScalar{n.Scalar(), n.Tag() == "!"}; };
  if (node.IsScalar()) return RawValue{false, {scalar(node)}};
  if (node.IsNull()) return usage("expected a value, got nothing (write \"\" for an empty text)");
  if (node.IsMap()) return usage("expected a value, got a section");
  RawValue list{true, {}};
  for (const auto& item : node) {
    if (!item.IsScalar()) return usage("expected a list of single values, got a list within a list");
    list.items.push_back(scalar(item));
  }
  return list;
}

std::string unknownKeyText(std::string_view key, const FieldTable& table) {
  const auto guess = nearestKey(key, table);
  return fmt::format("unknown key{}", guess.empty() ? std::string() : fmt::format("; did you mean '{}'?", guess));
}

class YamlReader {
 public:
  YamlReader(const FieldTable& table, const std::string& source_name) : table_(table), source_name_(source_name) {}

  Result<void> readSection(const YAML::Node& node, const std::string& prefix) {
    for (const auto& entry : node) {
      const YAML::Node& key_node = entry.first;
      const YAML::Node& value = entry.second;
      const int line = key_node.Mark().line + 1;
      if (!key_node.IsScalar()) return usage(fmt::format("{}:{}: a key must be a single word", source_name_, line));
      const std::string key = prefix + key_node.Scalar();
      if (const auto [seen, is_new] = lines_.emplace(key, line); !is_new)
        return at(line, key, fmt::format("duplicate key, first given in line {}", seen->second));
      if (auto read = readEntry(key, line, value); !read) return read;
    }
    return {};
  }

 private:
  Result<void> readEntry(const std::string& key, int line, const YAML::Node& value) {
    if (table_.isSection(key)) {
      if (value.IsMap()) return readSection(value, key + ".");
      return at(line, key, fmt::format("expected a section with keys below it, got '{}'",
                                       value.IsScalar() ? value.Scalar() : value.IsNull() ? "nothing" : "a list"));
    }
    const FieldRef* field = table_.find(key);
    if (field == nullptr) {
      const std::string seen = value.IsScalar() ? fmt::format(" (value '{}')", value.Scalar().substr(0, 60)) : "";
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

Result<std::string> readText(const std::filesystem::path& path) {
  std::error_code code;
  if (!std::filesystem::is_regular_file(path, code))
    return usage(fmt::format("{}: {}", path.string(),
                             std::filesystem::exists(path, code) ? "not a file" : "no such configuration file"));
  if (std::filesystem::file_size(path, code) > kMaxTextBytes)
    return usage(fmt::format("{}: a configuration of more than {} bytes is refused", path.string(), kMaxTextBytes));
  std::ifstream stream(path, std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
  if (!stream.good() && !stream.eof()) return usage(fmt::format("{}: cannot be read", path.string()));
  return text;
}

bool looksLikePreset(const std::string& name) {
  return name.find('/') == std::string::npos && !name.ends_with(".yaml") && !name.ends_with(".yml");
}

}  // namespace

Result<RunConfig> loadConfig(const std::string& path_or_preset, const std::vector<std::string>& overrides) {
  std::filesystem::path path = path_or_preset;
  if (looksLikePreset(path_or_preset)) {
    const auto preset = resourcePath("presets/" + path_or_preset + ".yaml");
    if (preset) {
      path = *preset;
    } else if (!std::filesystem::exists(path)) {
      const auto names = presetNames();
      const auto guess = nearest(path_or_preset, names);
      return usage(fmt::format("no preset and no file named '{}'{}; presets: {}", path_or_preset,
                               guess.empty() ? "" : fmt::format("; did you mean '{}'?", guess),
                               fmt::join(names, ", ")));
    }
  }
  const auto text = readText(path);
  if (!text) return text.error();
  return parseConfig(*text, path.string(), overrides);
}

Result<RunConfig> parseConfig(std::string_view yaml_text, const std::string& source_name,
                              const std::vector<std::string>& overrides) {
  const auto root = parseYaml(yaml_text, source_name);
  if (!root) return root.error();
  RunConfig config;
  if (!root->IsNull() && root->IsDefined()) {
    if (!root->IsMap())
      return usage(fmt::format("{}:{}: expected 'key: value' lines at the top", source_name, root->Mark().line + 1));
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
    return usage(fmt::format("{}: {}", key, table.isSection(key) ? "is a section, not a value"
                                                                 : unknownKeyText(key, table)));
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
