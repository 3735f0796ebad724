// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/base/run/atomic_file.h"

namespace meanflow::base {

/// Writes a zip archive of stored records (zip64 where sizes ask for it), record by record. Appears under its name only
/// after commit().
class ZipWriter {
 public:
  static Result<ZipWriter> create(const std::filesystem::path& target);
  /// A record made of `pieces` one after the other, its first byte at a multiple of `alignment` (at most 4096).
  Result<void> add(const std::string& name, std::span<const std::span<const std::byte>> pieces,
                   std::size_t alignment = 1);
  Result<void> commit();

 private:
  explicit ZipWriter(AtomicFile file) : file_(std::move(file)) {}
  struct Record {
    std::string name;
    std::uint32_t crc = 0;
    std::uint64_t size = 0, offset = 0;
  };
  AtomicFile file_;
  std::vector<Record> records_;
  std::uint64_t offset_ = 0;
};

}  // namespace meanflow::base
