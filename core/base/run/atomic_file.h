// SPDX-License-Identifier: Apache-2.0
//
// Files and folders that appear complete or not at all: filled under a temporary name beside the target, flushed to disk,
// renamed. A crash leaves `.tmp-...` entries (RunFolder::sweepTemporaries removes them), never half a target.
#pragma once
#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace meanflow::base {

inline constexpr std::string_view kTemporaryPrefix = ".tmp-";

/// A file being written beside its target. Errors name the target and the reason (disk full, permission).
class AtomicFile {
 public:
  static Result<AtomicFile> create(const std::filesystem::path& target);
  /// Removes the temporary file unless committed.
  ~AtomicFile();
  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&& other) noexcept;

  Result<void> write(std::span<const std::byte> bytes);
  Result<void> write(std::string_view text) { return write(std::as_bytes(std::span(text.data(), text.size()))); }
  /// Flushes, renames over the target and flushes the folder.
  Result<void> commit();

 private:
  AtomicFile(std::filesystem::path target, std::filesystem::path temporary, int fd);
  void discard();
  std::filesystem::path target_, temporary_;
  int fd_ = -1;
};

Result<void> writeFileAtomically(const std::filesystem::path& target, std::span<const std::byte> bytes);
Result<void> writeFileAtomically(const std::filesystem::path& target, std::string_view text);

/// A folder being filled beside its target.
class AtomicFolder {
 public:
  static Result<AtomicFolder> create(const std::filesystem::path& target);
  /// Removes the temporary folder unless committed.
  ~AtomicFolder();
  AtomicFolder(AtomicFolder&& other) noexcept;
  AtomicFolder& operator=(AtomicFolder&& other) noexcept;

  /// Where to put the files.
  const std::filesystem::path& path() const { return temporary_; }
  /// Flushes every file and folder in it, then takes the target's place; an existing target is replaced in one step.
  Result<void> commit();

 private:
  AtomicFolder(std::filesystem::path target, std::filesystem::path temporary);
  void discard();
  std::filesystem::path target_, temporary_;
};

/// Whole content of a file. Error when it is absent, not a regular file, or larger than `max_bytes`.
Result<std::string> readFile(const std::filesystem::path& path, std::uintmax_t max_bytes = std::uintmax_t{1} << 30);

}  // namespace meanflow::base
