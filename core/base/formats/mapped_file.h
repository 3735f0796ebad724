// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <filesystem>
#include <span>

#include "core/base/result.h"

namespace meanflow::base {

/// A read-only memory map of a whole regular file: reading 13 GB costs address space, not memory. The file must not be
/// shortened while mapped (the system would raise SIGBUS); files renamed into place never are.
class MappedFile {
 public:
  static Result<MappedFile> open(const std::filesystem::path& path);
  MappedFile() = default;
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;

  std::span<const std::byte> bytes() const { return {data_, size_}; }

  /// Gives the pages under `part` back to the system (they are read again when touched), so that a reader of a huge
  /// file does not keep all of it resident. Parts outside the map are ignored.
  void release(std::span<const std::byte> part) const;
  /// memcpy from the map piece by piece, each released behind itself. The sizes must agree.
  void copyOut(std::span<const std::byte> part, std::span<std::byte> out) const;

 private:
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace meanflow::base
