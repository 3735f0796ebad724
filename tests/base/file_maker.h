// SPDX-License-Identifier: Apache-2.0
//
// Makes .pt files by hand, right ones and wrong ones.
#pragma once
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "core/base/formats/zip_archive.h"

namespace meanflow::testing {

inline std::span<const std::byte> bytesOf(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

template <class T>
std::string littleEndian(T value) {
  std::string text(sizeof value, '\0');
  std::memcpy(text.data(), &value, sizeof value);
  return text;
}
inline std::string le16(std::uint64_t value) { return littleEndian(static_cast<std::uint16_t>(value)); }
inline std::string le32(std::uint64_t value) { return littleEndian(static_cast<std::uint32_t>(value)); }

struct ZipRecord {
  std::string name, content;
  std::uint16_t method = 0, flags = 0;
  std::int64_t claimed_size = -1;    ///< In the directory; -1: the true one.
  std::int64_t claimed_offset = -1;  ///< Of the local header.
  std::uint32_t crc_xor = 0;         ///< 0: the right checksum.
};

/// A zip archive without zip64 records.
inline std::string makeZip(const std::vector<ZipRecord>& records) {
  std::string file, directory;
  for (const auto& record : records) {
    const auto offset = record.claimed_offset < 0 ? file.size() : static_cast<std::uint64_t>(record.claimed_offset);
    const auto size = record.claimed_size < 0 ? record.content.size() : static_cast<std::uint64_t>(record.claimed_size);
    const auto crc = le32(base::crc32(bytesOf(record.content)) ^ record.crc_xor);
    const auto common = le16(record.flags) + le16(record.method) + le32(0) + crc + le32(record.content.size()) +
                        le32(size) + le16(record.name.size()) + le16(0);
    file += le32(0x04034b50) + le16(20) + common + record.name + record.content;
    directory += le32(0x02014b50) + le16(20) + le16(20) + common + le16(0) + le16(0) + le16(0) + le32(0) +
                 le32(offset) + record.name;
  }
  const auto at = file.size();
  return file + directory + le32(0x06054b50) + le16(0) + le16(0) + le16(records.size()) + le16(records.size()) +
         le32(directory.size()) + le32(at) + le16(0);
}

/// Pieces of a pickle, protocol 2.
namespace pickle {
inline std::string text(const std::string& words) { return std::string("X") + le32(words.size()) + words; }
inline std::string integer(std::int64_t number) { return std::string("\x8a\x08") + littleEndian(number); }
inline std::string global(const std::string& module, const std::string& name) {
  return std::string("c") + module + "\n" + name + "\n";
}
inline std::string tuple(const std::vector<std::int64_t>& numbers) {
  std::string code = "(";
  for (const auto number : numbers) code += integer(number);
  return code + "t";
}
inline std::string storage(const std::string& kind, const std::string& key, std::int64_t num) {
  return std::string("(") + text("storage") + global("torch", kind) + text(key) + text("cpu") + integer(num) + "tQ";
}
inline std::string tensor(const std::string& storage_code, std::int64_t offset, const std::vector<std::int64_t>& shape,
                          const std::vector<std::int64_t>& strides) {
  return global("torch._utils", "_rebuild_tensor_v2") + "(" + storage_code + integer(offset) + tuple(shape) +
         tuple(strides) + "\x89}tR";
}
/// {key: value} as a whole pickle.
inline std::string dict(const std::string& key, const std::string& value) {
  return std::string("\x80\x02}") + text(key) + value + "s.";
}
}  // namespace pickle

/// A zip file of torch.save with that data.pkl and storage data/0.
inline std::string makePt(const std::string& data_pkl, const std::string& data0 = std::string(16, 'x')) {
  return makeZip({{"a/data.pkl", data_pkl}, {"a/byteorder", "little"}, {"a/data/0", data0}, {"a/version", "3\n"}});
}
/// The older stream with that object and one storage, key "0".
inline std::string makeStream(const std::string& object, std::int64_t num_elements, const std::string& data) {
  const std::string magic = std::string("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", 15);
  const std::string version = std::string("\x80\x02M\xe9\x03.", 6),
                    machine = "\x80\x02}" + pickle::text("little_endian") + "\x88s.";
  return magic + version + machine + object + "\x80\x02]" + pickle::text("0") + "a." + littleEndian(num_elements) +
         data;
}

}  // namespace meanflow::testing
