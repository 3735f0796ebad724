// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

namespace meanflow::testing {

/// Makes a folder one that may be read and not written to, for as long as this lives. The superuser, whom permissions
/// do not stop, becomes nobody meanwhile (all threads of the process do).
class ReadOnlyFolder {
 public:
  explicit ReadOnlyFolder(const std::filesystem::path& folder) : folder_(folder) {
    using std::filesystem::perms;
    // Nobody has the superuser's group still.
    constexpr perms kLook = perms::group_read | perms::group_exec | perms::others_read | perms::others_exec;
    setAll(perms::owner_write | perms::group_write | perms::others_write, std::filesystem::perm_options::remove);
    setAll(kLook, std::filesystem::perm_options::add);
    std::filesystem::permissions(folder.parent_path(), kLook, std::filesystem::perm_options::add);
    if (::geteuid() == 0) is_nobody_ = ::seteuid(kNobody) == 0;
  }
  ~ReadOnlyFolder() {
    if (is_nobody_ && ::seteuid(0) != 0) std::abort();
    setAll(std::filesystem::perms::owner_write, std::filesystem::perm_options::add);
  }
  ReadOnlyFolder(const ReadOnlyFolder&) = delete;
  ReadOnlyFolder& operator=(const ReadOnlyFolder&) = delete;

 private:
  static constexpr uid_t kNobody = 65534;
  void setAll(std::filesystem::perms perms, std::filesystem::perm_options options) {
    std::filesystem::permissions(folder_, perms, options);
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_))
      std::filesystem::permissions(entry.path(), perms, options);
  }
  std::filesystem::path folder_;
  bool is_nobody_ = false;
};

}  // namespace meanflow::testing
