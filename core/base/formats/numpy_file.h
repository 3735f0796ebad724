// SPDX-License-Identifier: Apache-2.0
//
// numpy's .npy and .npz (a zip archive of .npy records, stored or deflated). Format: numpy/lib/_format_impl.py of
// numpy 2, versions 1.0 to 3.0.
#pragma once
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/base/formats/mapped_file.h"
#include "core/base/formats/safetensors.h"
#include "core/base/formats/stored_tensor.h"
#include "core/base/formats/zip_archive.h"
#include "core/base/formats/zip_writer.h"
#include "core/base/result.h"

namespace meanflow::base {

struct NumpyArray {
  std::string name;        ///< Of the record without ".npy"; of a single .npy, the file's.
  StoredTensor view;       ///< Its `bytes` are empty where the record is compressed.
  std::size_t record = 0;  ///< A detail of NumpyFile.
  std::size_t header_size = 0;
};

class NumpyFile {
 public:
  /// The error names the file and the array. Refused: whatever ZipArchive refuses, headers that are not numpy's, shapes
  /// that do not fit their record.
  static Result<NumpyFile> open(const std::filesystem::path& path);
  /// The same over bytes that outlive the object; `name` stands for the file in errors.
  static Result<NumpyFile> parse(std::span<const std::byte> bytes, const std::string& name);

  const std::vector<NumpyArray>& arrays() const { return arrays_; }
  const NumpyArray* find(std::string_view name) const;
  /// Records that hold no numbers (texts, Python objects, structures) and why: "labels: ...".
  const std::vector<std::string>& unreadable() const { return unreadable_; }

  /// Copies an array row by row in the machine's byte order to `out`, which has its size; checks the record's checksum.
  Result<void> copy(const NumpyArray& array, std::span<std::byte> out) const;

 private:
  Result<void> read(std::span<const std::byte> bytes);
  std::string name_;
  MappedFile file_;
  ZipArchive archive_;
  std::vector<NumpyArray> arrays_;
  std::vector<std::string> unreadable_;
};

/// Writes an .npz (stored) array by array, so that only the one being written need be in memory. Appears under its name
/// only after commit(). numpy has no bfloat16 and no 8-bit floats: such a dtype is an error, convert before.
class NpzWriter {
 public:
  static Result<NpzWriter> create(const std::filesystem::path& target, std::vector<TensorSpec> arrays);
  /// The whole next array, row by row, in the order of the specs.
  Result<void> append(std::span<const std::byte> bytes);
  Result<void> commit();

 private:
  NpzWriter(std::filesystem::path target, std::vector<TensorSpec> arrays, ZipWriter zip)
      : target_(std::move(target)), arrays_(std::move(arrays)), zip_(std::move(zip)) {}
  std::filesystem::path target_;
  std::vector<TensorSpec> arrays_;
  ZipWriter zip_;
  std::size_t num_appended_ = 0;
};

}  // namespace meanflow::base
