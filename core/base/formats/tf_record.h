// SPDX-License-Identifier: Apache-2.0
//
// TFRecords, the frames of TensorBoard's event files: length (8 bytes), masked CRC-32C of the length, data, masked
// CRC-32C of the data; little-endian.
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace meanflow::base {

/// CRC-32C (Castagnoli) of the bytes.
std::uint32_t crc32c(std::span<const std::byte> bytes);
/// TFRecord's mask of it: rotated right by 15 and offset, so that a CRC over data with CRCs stays useful.
std::uint32_t maskedCrc32c(std::span<const std::byte> bytes);

/// Appends `data` to `out` as one record.
void appendTfRecord(std::string& out, std::string_view data);

/// A longer record is taken for a damaged one: event files hold scalars and pictures, not data sets.
inline constexpr std::uint64_t kMaxTfRecordBytes = std::uint64_t{256} << 20;

/// Goes through the records of a file that may be growing. Nothing is allocated for a record that the file does not
/// hold in whole. Errors name the file and the byte the record begins at; once there was one it is repeated, because
/// nothing behind it can be found.
class TfRecordReader {
 public:
  static Result<TfRecordReader> open(const std::filesystem::path& path);
  /// Over bytes in memory that outlive the reader; `name` is what errors call them.
  TfRecordReader(std::span<const std::byte> bytes, std::string name);
  TfRecordReader(TfRecordReader&& other) noexcept;
  TfRecordReader& operator=(TfRecordReader&& other) noexcept;
  ~TfRecordReader();

  /// The data of the next record, valid until the next call; nothing when no whole one has been written yet.
  Result<std::optional<std::string_view>> next();

  std::uint64_t dataOffset() const { return data_offset_; }  ///< In the file, of what next() returned last.
  std::uint64_t position() const { return position_; }       ///< Behind the last whole record.
  /// Bytes behind the last whole record: a writer is in the middle of one, or was cut off there.
  std::uint64_t numTornBytes() const;
  const std::string& name() const { return name_; }

 private:
  TfRecordReader() = default;
  Result<std::uint64_t> size() const;
  Result<void> read(std::uint64_t offset, std::span<std::byte> out) const;
  Error fail(const std::string& what);

  std::string name_;
  int fd_ = -1;
  std::span<const std::byte> bytes_;
  std::uint64_t position_ = 0, data_offset_ = 0;
  std::string record_;
  std::optional<Error> error_;
};

}  // namespace meanflow::base
