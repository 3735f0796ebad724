// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <iostream>
#include <nlohmann/json.hpp>

#include "app/cli/commands.h"
#include "app/cli/config_help.h"
#include "app/cli/run_in_terminal.h"
#include "core/base/config/config_io.h"
#include "core/base/config/official_config.h"

namespace meanflow::app {
namespace {

struct ConfigOptions {
  std::string config;
  std::vector<std::string> overrides;
  std::string help_section;
  bool is_help = false, is_json = false;
};

nlohmann::ordered_json mappingJson(const base::OfficialConfig& official) {
  auto root =
      nlohmann::ordered_json{{"dialect", official.dialect}, {"for", std::string(base::toString(official.stage))}};
  for (const auto& entry : official.mappings)
    root["mappings"].push_back({{"official_key", entry.official_key},
                                {"line", entry.line},
                                {"official_value", entry.official_value},
                                {"key", entry.key},
                                {"value", entry.value},
                                {"note", entry.note}});
  root["warnings"] = official.warnings;
  return root;
}

int printHelp(const ConfigOptions& options) {
  const auto text = options.is_json ? schemaJson(options.help_section) : schemaText(options.help_section);
  if (!text) return reportError(text.error());
  std::cout << *text;
  return kDone;
}

int printConfig(const ConfigOptions& options) {
  const auto path = base::configPath(options.config);
  if (!path) return reportError(path.error());
  const auto config = base::loadConfig(options.config, options.overrides);
  if (!config) return reportError(config.error());
  const auto text = base::readYamlText(*path);
  if (!text) return reportError(text.error());
  const auto root = base::parseYaml(*text, *path);
  if (!root) return reportError(root.error());
  nlohmann::ordered_json json = {{"file", *path}};
  if (base::isOfficialConfig(*root)) {
    const auto official = base::convertOfficialConfig(*root, *path, {.overrides = options.overrides});
    if (!official) return reportError(official.error());
    if (options.is_json)
      json["official"] = mappingJson(*official);
    else
      std::cout << fmt::format(
          "# {}: configuration of the reference repositories (dialect: {}), for {}. Its keys became:\n#\n", *path,
          official->dialect, base::toString(official->stage));
    std::string line;
    if (!options.is_json)
      for (const char c : base::mappingText(*official)) {
        if (c != '\n') {
          line += c;
          continue;
        }
        std::cout << "# " << line << "\n";
        line.clear();
      }
    if (!options.is_json) std::cout << "\n";
  }
  if (!options.is_json) {
    std::cout << base::toYaml(*config);
    return kDone;
  }
  for (const auto& doc : base::schema()) json["config"][doc.key] = base::getValue(*config, doc.key).value();
  std::cout << json.dump(2) << "\n";
  return kDone;
}

}  // namespace

void addConfig(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand(
      "config", "Show a configuration with every key resolved, and how an official YAML file was understood");
  auto options = std::make_shared<ConfigOptions>();
  command->add_option("CONFIG", options->config,
                      "Preset name, YAML file of this program or of sony/mf-rae and bytetriper/RAE");
  command->add_option("KEY=VALUE", options->overrides,
                      "Settings that replace those of CONFIG; stages=[cmt] says what an official file is for");
  command
      ->add_option("--help-config", options->help_section,
                   "List the keys, ranges, units and defaults, of all or of one section")
      ->expected(0, 1);
  command->add_flag("--json", options->is_json, "As JSON");
  command->footer("The output is a complete configuration file: meanflow config demo > my.yaml");
  command->callback([&action, options, command] {
    options->is_help = command->count("--help-config") > 0;
    action = [options]() -> int {
      if (options->is_help) return printHelp(*options);
      if (!options->config.empty()) return printConfig(*options);
      std::string names;
      for (const auto& name : base::presetNames()) names += (names.empty() ? "" : ", ") + name;
      return reportError(
          {"name a preset or a file (or --help-config for all keys); presets: " + names, base::ErrorKind::kUsage});
    };
  });
}

}  // namespace meanflow::app
