// SPDX-License-Identifier: Apache-2.0
//
// safetensors files as byte views: 8 bytes little-endian header length, a JSON header
// {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, "__metadata__": {...}}, then the data.
#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/formats/mapped_file.h"
#include "core/base/formats/stored_tensor.h"
#include "core/base/result.h"
#include "core/base/run/atomic_file.h"

namespace meanflow::base {

/// One tensor of a mapped file; `bytes` (row-major, little-endian, perhaps unaligned) lives as long as the file object.
struct TensorView {
  std::string dtype;  ///< As in the file; stored_tensor.h has the names. Kinds smaller than a byte are refused.
  std::vector<std::int64_t> shape;
  std::span<const std::byte> bytes;
};

/// A file opened over a memory map. Everything in the header is checked before any view is given out.
class SafetensorsFile {
 public:
  /// The error names the file, the tensor and what is wrong: a header longer than the file or than 100 MB, bad JSON,
  /// duplicate names, unknown dtypes, offsets that overlap, leave holes or run past the end, shapes that do not fit.
  static Result<SafetensorsFile> open(const std::filesystem::path& path);
  /// The same over bytes that outlive the object; `name` stands for the file in errors.
  static Result<SafetensorsFile> parse(std::span<const std::byte> bytes, const std::string& name);

  const std::map<std::string, TensorView>& tensors() const { return tensors_; }
  const TensorView* find(const std::string& name) const;
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  const std::filesystem::path& path() const { return path_; }
  /// Copies a tensor out; of a large one no page stays resident. `out` has the size of view.bytes.
  void copy(const TensorView& view, std::span<std::byte> out) const { file_.copyOut(view.bytes, out); }

 private:
  Result<void> read(std::span<const std::byte> bytes);
  std::filesystem::path path_;
  MappedFile file_;
  std::map<std::string, TensorView> tensors_;
  std::map<std::string, std::string> metadata_;
};

struct TensorSpec {
  std::string name;
  std::string dtype;
  std::vector<std::int64_t> shape;
};

/// Writes a file tensor by tensor, so that only the one being written need be in memory. Appears under its name only
/// after commit().
class SafetensorsWriter {
 public:
  static Result<SafetensorsWriter> create(const std::filesystem::path& target, std::vector<TensorSpec> tensors,
                                          const std::map<std::string, std::string>& metadata = {});
  /// The next bytes, in the order of the specs; a tensor may come in pieces.
  Result<void> append(std::span<const std::byte> bytes);
  /// Error unless exactly the announced bytes were appended.
  Result<void> commit();

 private:
  SafetensorsWriter(std::filesystem::path target, AtomicFile file, std::uint64_t num_expected)
      : target_(std::move(target)), file_(std::move(file)), num_expected_(num_expected) {}
  std::filesystem::path target_;
  AtomicFile file_;
  std::uint64_t num_expected_ = 0, num_appended_ = 0;
};

struct TensorToWrite {
  TensorSpec spec;
  std::span<const std::byte> bytes;  ///< Written from where they are.
};
/// Writes all at once; wide dtypes first, so that every tensor is aligned.
Result<void> writeSafetensors(const std::filesystem::path& target, std::vector<TensorToWrite> tensors,
                              const std::map<std::string, std::string>& metadata = {});

}  // namespace meanflow::base
