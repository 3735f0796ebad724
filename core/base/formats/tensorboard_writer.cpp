// SPDX-License-Identifier: Apache-2.0
#include "core/base/formats/tensorboard_writer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <protozero/pbf_writer.hpp>

#include "core/base/formats/png.h"
#include "core/base/formats/tf_record.h"

namespace meanflow::base {
namespace {

// Field numbers of tensorflow/core/util/event.proto and framework/summary.proto.
namespace event_field {
constexpr protozero::pbf_tag_type kWallTime = 1, kStep = 2, kFileVersion = 3, kSummary = 5, kSessionLog = 7;
}
namespace summary_field {
constexpr protozero::pbf_tag_type kValue = 1, kTag = 1, kSimpleValue = 2, kImage = 4;
constexpr protozero::pbf_tag_type kHeight = 1, kWidth = 2, kColorspace = 3, kEncoded = 4;
}  // namespace summary_field
constexpr protozero::pbf_tag_type kSessionStatus = 1;
constexpr std::int32_t kSessionStart = 1;
constexpr std::int32_t kRgb = 3;

void eventHead(protozero::pbf_writer& event, double wall_time, std::int64_t step) {
  event.add_double(event_field::kWallTime, wall_time);
  event.add_int64(event_field::kStep, step);
}

}  // namespace

Result<std::unique_ptr<TensorboardWriter>> TensorboardWriter::open(const std::filesystem::path& folder,
                                                                   double wall_time) {
  std::error_code code;
  std::filesystem::create_directories(folder, code);
  char host[65] = {};
  ::gethostname(host, sizeof(host) - 1);
  for (int i = 0; i < 1000; ++i) {
    const auto path = folder / fmt::format("events.out.tfevents.{:010}.{}.{}.{}", static_cast<std::int64_t>(wall_time),
                                           host, ::getpid(), i);
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0 && errno == EEXIST) continue;
    if (fd < 0) return Error{fmt::format("{}: cannot open: {}", path.string(), std::strerror(errno))};
    std::unique_ptr<TensorboardWriter> writer(new TensorboardWriter(path, fd));
    std::string data;
    protozero::pbf_writer event(data);
    event.add_double(event_field::kWallTime, wall_time);
    event.add_string(event_field::kFileVersion, "brain.Event:2");
    if (auto written = writer->writeRecord(data); !written) return written.error();
    return writer;
  }
  return Error{fmt::format("{}: no free name for an event file", folder.string())};
}

TensorboardWriter::~TensorboardWriter() { ::close(fd_); }

Result<void> TensorboardWriter::startSession(std::int64_t step, double wall_time) {
  std::string data;
  protozero::pbf_writer event(data);
  eventHead(event, wall_time, step);
  protozero::pbf_writer session(event, event_field::kSessionLog);
  session.add_enum(kSessionStatus, kSessionStart);
  session.commit();
  return writeRecord(data);
}

Result<void> TensorboardWriter::addScalar(std::string_view tag, double value, std::int64_t step, double wall_time) {
  std::string data;
  protozero::pbf_writer event(data);
  eventHead(event, wall_time, step);
  {
    protozero::pbf_writer summary(event, event_field::kSummary);
    protozero::pbf_writer entry(summary, summary_field::kValue);
    entry.add_string(summary_field::kTag, tag.data(), tag.size());
    entry.add_float(summary_field::kSimpleValue, static_cast<float>(value));
  }
  return writeRecord(data);
}

Result<void> TensorboardWriter::addImage(std::string_view tag, const Image8& image, std::int64_t step,
                                         double wall_time) {
  const auto png = encodePng(image);
  std::string data;
  protozero::pbf_writer event(data);
  eventHead(event, wall_time, step);
  {
    protozero::pbf_writer summary(event, event_field::kSummary);
    protozero::pbf_writer entry(summary, summary_field::kValue);
    entry.add_string(summary_field::kTag, tag.data(), tag.size());
    protozero::pbf_writer picture(entry, summary_field::kImage);
    picture.add_int32(summary_field::kHeight, image.height);
    picture.add_int32(summary_field::kWidth, image.width);
    picture.add_int32(summary_field::kColorspace, kRgb);
    picture.add_bytes(summary_field::kEncoded, reinterpret_cast<const char*>(png.data()), png.size());
  }
  return writeRecord(data);
}

Result<void> TensorboardWriter::writeRecord(std::string_view event) {
  std::string record;
  appendTfRecord(record, event);
  ssize_t written = ::write(fd_, record.data(), record.size());
  while (written < 0 && errno == EINTR) written = ::write(fd_, record.data(), record.size());
  if (written == static_cast<ssize_t>(record.size())) {
    size_ += written;
    return {};
  }
  const int reason = written < 0 ? errno : ENOSPC;
  // Half a record would hide everything after it.
  const bool is_cut = written <= 0 || ::ftruncate(fd_, size_) == 0;
  return Error{fmt::format("{}: cannot write: {}{}", path_.string(), std::strerror(reason),
                           is_cut ? "" : "; the file now ends in half a record")};
}

}  // namespace meanflow::base
