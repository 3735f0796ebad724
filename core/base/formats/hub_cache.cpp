// SPDX-License-Identifier: Apache-2.0
#include "core/base/formats/hub_cache.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "core/base/formats/stored_tensor.h"

namespace meanflow::base {
namespace fs = std::filesystem;
namespace {

/// Empty where the variable is not set.
std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// "ORG/NAME" with the characters that the hub allows.
bool isHubName(const std::string& text) {
  const auto slash = text.find('/');
  if (slash == std::string::npos || slash == 0 || slash + 1 == text.size() ||
      text.find('/', slash + 1) != std::string::npos || text.front() == '.' || text[slash + 1] == '.')
    return false;
  return std::all_of(text.begin(), text.end(),
                     [](unsigned char c) { return std::isalnum(c) || c == '-' || c == '_' || c == '.' || c == '/'; });
}

}  // namespace

fs::path hubCacheFolder() {
  if (const auto cache = variable("HF_HUB_CACHE"); !cache.empty()) return cache;
  if (const auto home = variable("HF_HOME"); !home.empty()) return fs::path(home) / "hub";
  if (const auto cache = variable("XDG_CACHE_HOME"); !cache.empty()) return fs::path(cache) / "huggingface" / "hub";
  return fs::path(variable("HOME")) / ".cache" / "huggingface" / "hub";
}

Result<fs::path> findWeights(const std::string& path_or_hub_name) {
  std::error_code code;
  if (path_or_hub_name.empty()) return Error{"no file of weights was named", ErrorKind::kUsage};
  if (fs::exists(path_or_hub_name, code)) return fs::path(path_or_hub_name);
  if (!isHubName(path_or_hub_name))
    return Error{fmt::format("{}: does not exist", path_or_hub_name), ErrorKind::kUsage};
  auto entry = path_or_hub_name;
  entry.replace(entry.find('/'), 1, "--");
  const auto folder = hubCacheFolder() / ("models--" + entry);
  if (fs::is_directory(folder, code)) return folder;
  return Error{
      fmt::format("{}: is neither a file or folder here nor in the Hugging Face cache {}; download it there, or "
                  "give the path of its files",
                  path_or_hub_name, hubCacheFolder().string()),
      ErrorKind::kUsage};
}

}  // namespace meanflow::base
