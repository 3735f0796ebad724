// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <vector>

#include "core/base/result.h"

namespace meanflow::training {

/// Makes folders on the way to a file, and takes those it made away again unless they were kept.
class CreatedFolders {
 public:
  CreatedFolders() = default;
  CreatedFolders(const CreatedFolders&) = delete;
  CreatedFolders& operator=(const CreatedFolders&) = delete;
  ~CreatedFolders() {
    std::error_code ignored;  // one that somebody filled in the meantime stays
    for (auto it = made_.rbegin(); it != made_.rend(); ++it) std::filesystem::remove(*it, ignored);
  }

  base::Result<void> make(const std::filesystem::path& folder) {
    std::vector<std::filesystem::path> missing;
    std::error_code code;
    for (auto at = folder; !at.empty() && !std::filesystem::exists(at, code); at = at.parent_path())
      missing.push_back(at);
    for (auto it = missing.rbegin(); it != missing.rend(); ++it) {
      std::filesystem::create_directory(*it, code);
      if (code) return base::Error{"cannot make the folder " + it->string() + ": " + code.message()};
      made_.push_back(*it);
    }
    return {};
  }
  void keep() { made_.clear(); }

 private:
  std::vector<std::filesystem::path> made_;
};

}  // namespace meanflow::training
