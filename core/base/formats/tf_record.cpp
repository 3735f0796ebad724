// SPDX-License-Identifier: Apache-2.0
#include "core/base/formats/tf_record.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace meanflow::base {
namespace {

constexpr std::uint64_t kHead = 12, kTail = 4;

constexpr std::array<std::uint32_t, 256> makeCrcTable() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1u) != 0 ? 0x82f63b78u : 0u);
    table[i] = value;
  }
  return table;
}
constexpr auto kCrcTable = makeCrcTable();

template <class T>
void appendLittleEndian(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

template <class T>
T valueAt(std::span<const std::byte> bytes, std::size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(value));
  return value;
}

std::span<const std::byte> asBytes(std::string_view text) { return std::as_bytes(std::span(text.data(), text.size())); }

}  // namespace

std::uint32_t crc32c(std::span<const std::byte> bytes) {
  std::uint32_t crc = 0xffffffffu;
  for (const auto byte : bytes) crc = kCrcTable[(crc ^ static_cast<std::uint32_t>(byte)) & 0xffu] ^ (crc >> 8);
  return ~crc;
}

std::uint32_t maskedCrc32c(std::span<const std::byte> bytes) {
  const std::uint32_t crc = crc32c(bytes);
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}

void appendTfRecord(std::string& out, std::string_view data) {
  const std::size_t begin = out.size();
  appendLittleEndian(out, static_cast<std::uint64_t>(data.size()));
  appendLittleEndian(out, maskedCrc32c(asBytes(std::string_view(out).substr(begin))));
  out += data;
  appendLittleEndian(out, maskedCrc32c(asBytes(data)));
}

Result<TfRecordReader> TfRecordReader::open(const std::filesystem::path& path) {
  TfRecordReader reader;
  reader.name_ = path.string();
  // Not waiting for the writer of a FIFO that somebody left there.
  reader.fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (reader.fd_ < 0) return Error{fmt::format("{}: cannot open: {}", path.string(), std::strerror(errno))};
  struct stat status {};
  if (::fstat(reader.fd_, &status) != 0 || !S_ISREG(status.st_mode))
    return Error{fmt::format("{}: is not a regular file", path.string())};
  return reader;
}

TfRecordReader::TfRecordReader(std::span<const std::byte> bytes, std::string name)
    : name_(std::move(name)), bytes_(bytes) {}

TfRecordReader::TfRecordReader(TfRecordReader&& other) noexcept { *this = std::move(other); }

TfRecordReader& TfRecordReader::operator=(TfRecordReader&& other) noexcept {
  std::swap(fd_, other.fd_);
  name_ = std::move(other.name_);
  bytes_ = other.bytes_;
  position_ = other.position_;
  data_offset_ = other.data_offset_;
  record_ = std::move(other.record_);
  error_ = std::move(other.error_);
  return *this;
}

TfRecordReader::~TfRecordReader() {
  if (fd_ >= 0) ::close(fd_);
}

Result<std::uint64_t> TfRecordReader::size() const {
  if (fd_ < 0) return static_cast<std::uint64_t>(bytes_.size());
  struct stat status {};
  if (::fstat(fd_, &status) != 0) return Error{fmt::format("{}: cannot be read: {}", name_, std::strerror(errno))};
  return static_cast<std::uint64_t>(std::max<off_t>(0, status.st_size));
}

Result<void> TfRecordReader::read(std::uint64_t offset, std::span<std::byte> out) const {
  if (fd_ < 0) {
    std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), out.size(), out.begin());
    return {};
  }
  for (std::size_t done = 0; done < out.size();) {
    const ssize_t got = ::pread(fd_, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Error{fmt::format("{}: cannot be read: {}", name_, std::strerror(errno))};
    if (got == 0) return Error{fmt::format("{}: was shortened while it was read", name_)};
    done += static_cast<std::size_t>(got);
  }
  return {};
}

Error TfRecordReader::fail(const std::string& what) {
  error_ = Error{fmt::format("{}: the record at byte {} {}", name_, position_, what)};
  return *error_;
}

std::uint64_t TfRecordReader::numTornBytes() const {
  const auto now = size();
  return now.ok() && *now > position_ ? *now - position_ : 0;
}

Result<std::optional<std::string_view>> TfRecordReader::next() {
  if (error_) return *error_;
  const auto now = size();
  if (!now) return now.error();
  if (*now < position_) return fail("is gone: the file was shortened");
  const std::uint64_t left = *now - position_;
  if (left < kHead) return std::optional<std::string_view>();
  std::array<std::byte, kHead> head{};
  if (auto got = read(position_, head); !got) return got.error();
  const auto length = valueAt<std::uint64_t>(head, 0);
  if (valueAt<std::uint32_t>(head, 8) != maskedCrc32c(std::span(head).first(8)))
    return fail("has a length whose checksum does not match: the file is damaged, or no TensorBoard event file");
  if (length > kMaxTfRecordBytes)
    return fail(fmt::format("says it has {} bytes, more than the {} a record may have", length, kMaxTfRecordBytes));
  if (left - kHead < length + kTail) return std::optional<std::string_view>();
  record_.resize(length + kTail);
  if (auto got = read(position_ + kHead, std::as_writable_bytes(std::span(record_))); !got) return got.error();
  const auto data = asBytes(record_).first(length);
  if (valueAt<std::uint32_t>(asBytes(record_), length) != maskedCrc32c(data))
    return fail("has data whose checksum does not match: the file is damaged");
  data_offset_ = position_ + kHead;
  position_ += kHead + length + kTail;
  return std::optional<std::string_view>(std::string_view(record_).substr(0, length));
}

}  // namespace meanflow::base
