// SPDX-License-Identifier: Apache-2.0
//
// TensorBoard event files: TFRecords (tf_record.h) that hold protocol-buffer Events.
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string_view>

#include "core/base/image.h"
#include "core/base/result.h"

namespace meanflow::base {

/// Appends to a new file events.out.tfevents.SECONDS.HOST.PID.N in a folder. TensorBoard treats each folder as one run
/// with one step axis, and a purge concerns the whole folder: give every stage its own.
class TensorboardWriter {
 public:
  /// `wall_time`: seconds since 1970 of the first record.
  static Result<std::unique_ptr<TensorboardWriter>> open(const std::filesystem::path& folder, double wall_time);
  ~TensorboardWriter();
  TensorboardWriter(const TensorboardWriter&) = delete;
  TensorboardWriter& operator=(const TensorboardWriter&) = delete;

  /// Tells TensorBoard to drop points of earlier files with a step of `step` or more: call it when resuming, with the
  /// first step that will be written again.
  Result<void> startSession(std::int64_t step, double wall_time);
  Result<void> addScalar(std::string_view tag, double value, std::int64_t step, double wall_time);
  Result<void> addImage(std::string_view tag, const Image8& image, std::int64_t step, double wall_time);
  const std::filesystem::path& path() const { return path_; }

 private:
  TensorboardWriter(std::filesystem::path path, int fd) : path_(std::move(path)), fd_(fd) {}
  Result<void> writeRecord(std::string_view event);
  std::filesystem::path path_;
  int fd_ = -1;
  std::int64_t size_ = 0;  ///< Bytes of complete records.
};

}  // namespace meanflow::base
