// SPDX-License-Identifier: Apache-2.0
#include "core/base/config/resources.h"

#include <fmt/format.h>

#include <cstdlib>
#include <string>
#include <vector>

namespace meanflow::base {
namespace fs = std::filesystem;
namespace {

std::vector<fs::path> resourceFolders() {
  std::vector<fs::path> folders;
  if (const char* given = std::getenv("MEANFLOW_RESOURCES"); given != nullptr && *given != '\0')
    folders.emplace_back(given);
  const fs::path executable = executablePath();
  if (!executable.empty()) {
    folders.push_back((executable.parent_path() / "../share/meanflow-studio").lexically_normal());
    std::error_code code;
    for (fs::path folder = executable.parent_path();; folder = folder.parent_path()) {
      if (fs::is_directory(folder / "resources" / "presets", code)) {
        folders.push_back(folder / "resources");
        break;
      }
      if (folder == folder.parent_path()) break;
    }
  }
  folders.push_back(fs::path(STUDIO_SOURCE_FOLDER) / "resources");
  return folders;
}

}  // namespace

fs::path executablePath() {
  std::error_code code;
  fs::path path = fs::read_symlink("/proc/self/exe", code);
  return code ? fs::path() : path;
}

Result<fs::path> resourcePath(std::string_view relative) {
  std::string tried;
  for (const auto& folder : resourceFolders()) {
    std::error_code code;
    if (fs::exists(folder / relative, code)) return folder / relative;
    tried += (tried.empty() ? "" : ", ") + folder.string();
  }
  return Error{fmt::format("resource '{}' not found in {}; set MEANFLOW_RESOURCES to the folder that holds presets/",
                           relative, tried)};
}

}  // namespace meanflow::base
