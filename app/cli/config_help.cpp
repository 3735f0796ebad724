// SPDX-License-Identifier: Apache-2.0
#include "app/cli/config_help.h"

#include <fmt/format.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <vector>

#include "core/base/config/config_io.h"
#include "core/base/config/field_table.h"
#include "core/base/config/official_config.h"

namespace meanflow::app {
namespace {

bool isBelow(const std::string& key, const std::string& section) {
  return section.empty() || key == section || key.starts_with(section + ".");
}

base::Result<std::vector<base::FieldDoc>> docsBelow(const std::string& section) {
  std::vector<base::FieldDoc> docs;
  for (auto& doc : base::schema())
    if (isBelow(doc.key, section)) docs.push_back(std::move(doc));
  if (!docs.empty()) return docs;
  base::RunConfig defaults;
  const auto guess = base::nearestKey(section, base::fieldTable(defaults));
  return base::Error{fmt::format("{}: no such section or key{}", section,
                                 guess.empty() ? "" : fmt::format("; did you mean '{}'?", guess)),
                     base::ErrorKind::kUsage};
}

std::string acceptedText(const base::FieldDoc& doc) {
  if (!doc.choices.empty()) return fmt::format("{}", fmt::join(doc.choices, " | "));
  std::string text = doc.type;
  if (std::isfinite(doc.min) && std::isfinite(doc.max))
    text += fmt::format(" {} to {}", doc.min, doc.max);
  else if (std::isfinite(doc.min))
    text += fmt::format(" from {}", doc.min);
  return doc.unit.empty() ? text : text + ", " + doc.unit;
}

}  // namespace

base::Result<std::string> schemaText(const std::string& section) {
  const auto docs = docsBelow(section);
  if (!docs) return docs.error();
  std::string out;
  std::vector<base::SectionDoc> sections = base::schemaSections();
  std::size_t next_section = 0;
  for (const auto& doc : *docs) {
    for (; next_section < sections.size() && !isBelow(doc.key, sections[next_section].key); ++next_section) {
    }
    for (; next_section < sections.size() && isBelow(doc.key, sections[next_section].key); ++next_section)
      out += fmt::format("\n{}: {}\n", sections[next_section].key, sections[next_section].help);
    out += fmt::format("  {} = {}  ({})\n      {}\n", doc.key, doc.default_text, acceptedText(doc), doc.help);
  }
  return out;
}

base::Result<std::string> schemaJson(const std::string& section) {
  const auto docs = docsBelow(section);
  if (!docs) return docs.error();
  auto root = nlohmann::ordered_json::array();
  for (const auto& doc : *docs) {
    nlohmann::ordered_json entry = {
        {"key", doc.key}, {"type", doc.type}, {"default", doc.default_text}, {"unit", doc.unit}, {"help", doc.help}};
    if (std::isfinite(doc.min)) entry["min"] = doc.min;
    if (std::isfinite(doc.max)) entry["max"] = doc.max;
    if (!doc.choices.empty()) entry["choices"] = doc.choices;
    root.push_back(std::move(entry));
  }
  return root.dump(2) + "\n";
}

std::string officialNote(const std::string& path_or_preset, const std::vector<std::string>& overrides) {
  const auto path = base::configPath(path_or_preset);
  if (!path || !std::filesystem::is_regular_file(*path)) return {};
  const auto official = base::readOfficialConfig(*path, {.overrides = overrides});
  if (!official) return {};
  std::string note = fmt::format(
      "{} is a configuration of the reference repositories, for {}; `meanflow config {}` shows what became of its "
      "keys\n",
      *path, base::toString(official->stage), path_or_preset);
  for (const auto& warning : official->warnings) note += "warning: " + warning + "\n";
  return note;
}

}  // namespace meanflow::app
