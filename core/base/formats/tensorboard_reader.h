// SPDX-License-Identifier: Apache-2.0
//
// What of TensorBoard's event files can be shown as curves and pictures: scalars and encoded images. Everything else in
// them (graphs, histograms, text) is passed over.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/base/formats/tf_record.h"
#include "core/base/result.h"

namespace meanflow::base {

struct TensorboardScalar {
  std::string tag;
  double value = 0;
};

/// An encoded picture (PNG, JPEG, GIF as its writer chose), left where it is: files with pictures are large.
struct TensorboardImage {
  std::string tag;
  int width = 0, height = 0;  ///< As the file says; nobody checked.
  std::uint64_t offset = 0;   ///< Of the encoded bytes in the file.
  std::uint64_t size = 0;
};

struct TensorboardEvent {
  double wall_time = 0;  ///< Seconds since 1970.
  std::int64_t step = 0;
  bool is_session_start = false;  ///< Points of earlier files with this step or a later one are void.
  std::vector<TensorboardScalar> scalars;
  std::vector<TensorboardImage> images;
};

/// One Event message (tensorflow/core/util/event.proto), walked by hand with bounds. Scalars are `simple_value` or a
/// tensor of one number (float, double, half, bfloat16, integers); images the Summary.Image message, or a tensor of
/// texts [width, height, picture, ...]. `offset`: of the message in the file. The error says where in the file.
Result<TensorboardEvent> parseTensorboardEvent(std::string_view message, const std::string& file, std::uint64_t offset);

/// Follows an event file, also one that is being written.
class TensorboardReader {
 public:
  static Result<TensorboardReader> open(const std::filesystem::path& path);
  /// Over bytes in memory that outlive the reader.
  TensorboardReader(std::span<const std::byte> bytes, std::string name) : records_(bytes, std::move(name)) {}

  /// The events that have come since the last call, at most `max_events`; empty when there are none. What comes before
  /// damage is handed out first, the error by the next call.
  Result<std::vector<TensorboardEvent>> poll(std::size_t max_events = 4096);

  std::uint64_t numTornBytes() const { return records_.numTornBytes(); }
  const std::string& name() const { return records_.name(); }

 private:
  explicit TensorboardReader(TfRecordReader records) : records_(std::move(records)) {}
  TfRecordReader records_;
  std::optional<Error> error_;
};

/// Whether a file is named like an event file ("events.out.tfevents.…").
bool isTensorboardName(std::string_view file_name);

}  // namespace meanflow::base
