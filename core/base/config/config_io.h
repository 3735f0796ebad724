// SPDX-License-Identifier: Apache-2.0
//
// Reading, writing and changing the typed configuration (run_config.h). Everything a person gets wrong comes back as an
// Error of kind kUsage that names file:line, the key, what was seen and the nearest thing that would have been right.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "core/base/config/run_config.h"
#include "core/base/result.h"

namespace meanflow::base {

/// The file meant by a path or by the name of a preset ("demo" is resources/presets/demo.yaml).
Result<std::string> configPath(const std::string& path_or_preset);

/// Reads a YAML file or the preset of that name, then applies the overrides in order. What the file leaves out keeps
/// the default of run_config.h. A file of the reference repositories is converted (official_config.h).
Result<RunConfig> loadConfig(const std::string& path_or_preset, const std::vector<std::string>& overrides = {});

/// As loadConfig, from text. `source_name` is what errors call the text. Refused: unknown and duplicate keys, wrong
/// types, values out of range, and what parseYaml refuses (yaml_tree.h).
Result<RunConfig> parseConfig(std::string_view yaml_text, const std::string& source_name,
                              const std::vector<std::string>& overrides = {});

/// Every value in the order of description; reading it back gives an equal configuration.
std::string toYaml(const RunConfig& config);

/// Sets one dotted key from text, e.g. ("teacher.model.depth", "4,2" or "[4, 2]").
Result<void> setValue(RunConfig& config, std::string_view key, std::string_view text);
/// Applies one "KEY=VALUE".
Result<void> applyOverride(RunConfig& config, std::string_view assignment);
/// The text of one value as toYaml writes it.
Result<std::string> getValue(const RunConfig& config, std::string_view key);

/// What a person may know of one setting: for --help and for forms.
struct FieldDoc {
  std::string key;           ///< Dotted.
  std::string type;          ///< "boolean", "integer", "number", "text", "integers" or "texts" (lists).
  std::string default_text;  ///< As in YAML.
  double min = 0, max = 0;   ///< Inclusive, infinite when unlimited; of each element for lists.
  std::string unit;
  std::string help;
  std::vector<std::string> choices;  ///< Empty = any.
};
struct SectionDoc {
  std::string key;
  std::string help;
};
std::vector<FieldDoc> schema();
std::vector<SectionDoc> schemaSections();

/// One key whose value differs, both as text.
struct ConfigDifference {
  std::string key, a, b;
  bool operator==(const ConfigDifference&) const = default;
};
std::vector<ConfigDifference> difference(const RunConfig& a, const RunConfig& b);

/// Names of the presets shipped in resources/presets, sorted.
std::vector<std::string> presetNames();

}  // namespace meanflow::base
