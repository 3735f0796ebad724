// SPDX-License-Identifier: Apache-2.0
#include "core/data/imagenet_names.h"

#include <fstream>
#include <unordered_map>
#include <utility>

#include "core/base/config/resources.h"

namespace meanflow::core {
namespace {

bool isSynset(const std::string& name) {
  return name.size() == 9 && name[0] == 'n' && name.find_first_not_of("0123456789", 1) == std::string::npos;
}

/// Synset and name, in the order of the labels.
std::vector<std::pair<std::string, std::string>> readTable() {
  std::vector<std::pair<std::string, std::string>> rows;
  const auto path = base::resourcePath("imagenet_classes.tsv");
  if (!path.ok()) return rows;
  std::ifstream file(*path);
  for (std::string line; std::getline(file, line);)
    if (const auto tab = line.find('\t'); tab != std::string::npos && !line.starts_with('#'))
      rows.emplace_back(line.substr(0, tab), line.substr(tab + 1));
  return rows;
}

}  // namespace

std::vector<std::string> readableClassNames(std::vector<std::string> folder_names) {
  for (const auto& name : folder_names)
    if (!isSynset(name)) return folder_names;
  const auto table = readTable();
  const std::unordered_map<std::string, std::string> titles(table.begin(), table.end());
  std::vector<std::string> names;
  for (const auto& folder : folder_names) {
    const auto title = titles.find(folder);
    if (title == titles.end()) return folder_names;
    names.push_back(title->second);
  }
  return names;
}

std::vector<std::string> imagenetClassNames() {
  std::vector<std::string> names;
  for (auto& [synset, title] : readTable()) names.push_back(std::move(title));
  if (names.size() != 1000) names.clear();
  return names;
}

}  // namespace meanflow::core
