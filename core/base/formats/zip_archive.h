// SPDX-License-Identifier: Apache-2.0
//
// Zip archives as byte views (PKWARE APPNOTE 6.3, with zip64): the container of torch.save and of npz.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace meanflow::base {

enum class ZipMethod { kStored, kDeflated };

struct ZipEntry {
  std::string_view name;  ///< Lives as long as the bytes of the archive.
  ZipMethod method = ZipMethod::kStored;
  std::uint32_t crc = 0;            ///< CRC-32 of the content.
  std::uint64_t size = 0;           ///< Of the content; equals data.size() when stored.
  std::span<const std::byte> data;  ///< As stored, perhaps compressed.
};

/// CRC-32 (IEEE 802.3) of `bytes`, continued from `crc`.
std::uint32_t crc32(std::span<const std::byte> bytes, std::uint32_t crc = 0);

/// True where the first bytes are those of a zip archive.
bool looksLikeZip(std::span<const std::byte> bytes);

/// The list of an archive's entries.
class ZipArchive {
 public:
  /// Errors lack the file's name. Refused: no end record (a file cut short), archives over several disks, encryption,
  /// methods other than store and deflate, entries that leave the file, overlap or appear twice, a local header that
  /// disagrees with the directory, contents larger than deflate can make of the stored bytes.
  static Result<ZipArchive> parse(std::span<const std::byte> bytes);

  const std::vector<ZipEntry>& entries() const { return entries_; }  ///< In the directory's order.
  const ZipEntry* find(std::string_view name) const;

 private:
  std::vector<ZipEntry> entries_;
  std::vector<std::uint32_t> by_name_;  // positions in entries_, sorted by name
};

/// Reads one entry's content from its start to its end, inflating it where it is compressed.
class ZipEntryReader {
 public:
  explicit ZipEntryReader(const ZipEntry& entry);
  ~ZipEntryReader();
  ZipEntryReader(ZipEntryReader&&) noexcept;

  /// Fills `out` entirely; an error (without the file's name) when the content ends before or is damaged.
  Result<void> read(std::span<std::byte> out);
  /// To call after the last byte: error when content is left or its checksum is wrong.
  Result<void> finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace meanflow::base
