// SPDX-License-Identifier: Apache-2.0
//
// Large files that take no disk: holes are not stored.
#pragma once
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "tests/base/file_maker.h"

namespace meanflow::testing {

inline void putAt(std::fstream& file, std::uint64_t at, const std::string& text) {
  file.seekp(static_cast<std::streamoff>(at));
  file.write(text.data(), static_cast<std::streamsize>(text.size()));
}

inline std::fstream sparseFile(const std::string& path) {
  return std::fstream(path, std::ios::binary | std::ios::in | std::ios::out | std::ios::trunc);
}

struct SparseTensor {
  std::string name;
  std::vector<std::int64_t> shape;
};

/// A .pt file of float32 zeros as torch.save writes a state dict, with zip64 records. Returns the path, empty when it
/// could not be written.
inline std::string writeSparsePt(const std::string& path, const std::vector<SparseTensor>& tensors) {
  std::string data_pkl("\x80\x02}(");
  std::vector<std::uint64_t> sizes;
  for (const auto& [name, shape] : tensors) {
    std::int64_t count = 1;
    std::vector<std::int64_t> strides(shape.size());
    for (std::size_t k = shape.size(); k-- > 0;) strides[k] = count, count *= shape[k];
    data_pkl += pickle::text(name) +
                pickle::tensor(pickle::storage("FloatStorage", std::to_string(sizes.size()), count), 0, shape, strides);
    sizes.push_back(static_cast<std::uint64_t>(count) * 4);
  }
  data_pkl += "u.";
  std::map<std::uint64_t, std::uint32_t> zero_crcs;
  for (const auto size : sizes)
    if (!zero_crcs.contains(size)) zero_crcs[size] = base::crc32(std::vector<std::byte>(size));
  auto file = sparseFile(path);
  std::uint64_t at = 0;
  std::string directory;
  const auto add = [&](const std::string& name, const std::string* content, std::uint64_t size) {
    const auto crc = content ? base::crc32(bytesOf(*content)) : zero_crcs.at(size);
    const auto common = le16(0) + le16(0) + le32(0) + le32(crc) + le32(size) + le32(size) + le16(name.size());
    directory += le32(0x02014b50) + le16(45) + le16(45) + common + le16(12) + le16(0) + le16(0) + le16(0) + le32(0) +
                 le32(0xffffffff) + name + le16(1) + le16(8) + littleEndian(at);
    const auto header = le32(0x04034b50) + le16(45) + common + le16(0) + name;
    putAt(file, at, header + (content ? *content : ""));
    at += header.size() + size;
  };
  add("a/data.pkl", &data_pkl, data_pkl.size());
  for (std::size_t i = 0; i < sizes.size(); ++i) add("a/data/" + std::to_string(i), nullptr, sizes[i]);
  const std::uint64_t num = sizes.size() + 1, directory_at = at, size = directory.size();
  putAt(file, at,
        directory + le32(0x06064b50) + littleEndian(std::uint64_t{44}) + le16(45) + le16(45) + le32(0) + le32(0) +
            littleEndian(num) + littleEndian(num) + littleEndian(size) + littleEndian(directory_at) + le32(0x07064b50) +
            le32(0) + littleEndian(directory_at + size) + le32(1) + le32(0x06054b50) + le16(0) + le16(0) + le16(num) +
            le16(num) + le32(size) + le32(0xffffffff) + le16(0));
  return file ? path : "";
}

}  // namespace meanflow::testing
