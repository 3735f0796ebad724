// SPDX-License-Identifier: Apache-2.0
#include "core/base/formats/zip_archive.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <optional>

#include "core/base/formats/stored_tensor.h"

namespace meanflow::base {
namespace {

constexpr std::uint32_t kLocalSignature = 0x04034b50, kCentralSignature = 0x02014b50, kEndSignature = 0x06054b50,
                        kEnd64Signature = 0x06064b50, kLocator64Signature = 0x07064b50;
constexpr std::size_t kLocalSize = 30, kCentralSize = 46, kEndSize = 22, kEnd64Size = 56, kLocator64Size = 20;
constexpr std::uint32_t kIn64 = 0xffffffff;       // the true value is in the zip64 record
constexpr std::uint64_t kMaxDeflateRatio = 1032;  // a property of the format (zlib's technical details)

template <class T>
T read(std::span<const std::byte> bytes, std::size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

/// Where the list of entries lies.
struct Directory {
  std::uint64_t num_entries = 0, size = 0, offset = 0;
};

std::optional<std::size_t> findEnd(std::span<const std::byte> bytes) {
  if (bytes.size() < kEndSize) return std::nullopt;
  const std::size_t last = bytes.size() - kEndSize;
  const std::size_t first = last > 0xffff ? last - 0xffff : 0;
  for (std::size_t at = last + 1; at-- > first;)
    if (read<std::uint32_t>(bytes, at) == kEndSignature &&
        at + kEndSize + read<std::uint16_t>(bytes, at + 20) == bytes.size())
      return at;
  return std::nullopt;
}

Result<Directory> findDirectory(std::span<const std::byte> bytes) {
  const auto end = findEnd(bytes);
  if (!end) return Error{"its zip directory is missing; the file is cut short or damaged (copy or download it again)"};
  const auto damaged = [](std::string_view what) {
    return Error{fmt::format("its zip directory is damaged ({})", what)};
  };
  const auto disk = read<std::uint16_t>(bytes, *end + 4), directory_disk = read<std::uint16_t>(bytes, *end + 6);
  const auto num_here = read<std::uint16_t>(bytes, *end + 8), num = read<std::uint16_t>(bytes, *end + 10);
  const auto size = read<std::uint32_t>(bytes, *end + 12), offset = read<std::uint32_t>(bytes, *end + 16);
  Directory directory = {num, size, offset};
  std::size_t directory_end = *end;
  const bool has_locator =
      *end >= kLocator64Size && read<std::uint32_t>(bytes, *end - kLocator64Size) == kLocator64Signature;
  if (has_locator) {
    const std::size_t locator = *end - kLocator64Size;
    const auto at = read<std::uint64_t>(bytes, locator + 8);
    if (locator < kEnd64Size || at > locator - kEnd64Size || read<std::uint32_t>(bytes, at) != kEnd64Signature)
      return damaged("no zip64 record where one is announced");
    directory = {read<std::uint64_t>(bytes, at + 32), read<std::uint64_t>(bytes, at + 40),
                 read<std::uint64_t>(bytes, at + 48)};
    directory_end = at;
    const bool agrees = (num == 0xffff || num == directory.num_entries) && (size == kIn64 || size == directory.size) &&
                        (offset == kIn64 || offset == directory.offset);
    if (!agrees || read<std::uint64_t>(bytes, at + 24) != directory.num_entries) return damaged("two counts disagree");
    if (read<std::uint32_t>(bytes, at + 16) != 0 || read<std::uint32_t>(bytes, at + 20) != 0)
      return Error{"a zip archive over several disks cannot be read"};
  } else if (disk != 0 || directory_disk != 0 || num_here != num) {
    return Error{"a zip archive over several disks cannot be read"};
  }
  if (directory.offset > directory_end || directory.size != directory_end - directory.offset)
    return damaged("it does not lie where the end record says");
  if (directory.num_entries > directory.size / kCentralSize)
    return damaged(fmt::format("{} entries in {} bytes", directory.num_entries, directory.size));
  return directory;
}

/// An entry and the place it takes, its local header included.
struct Placed {
  ZipEntry entry;
  std::uint64_t begin = 0, end = 0;
};

/// The values that did not fit into 32 bits, from the extra field with id 1.
bool readZip64(std::span<const std::byte> extra, std::uint64_t& size, std::uint64_t& stored_size,
               std::uint64_t& offset) {
  while (extra.size() >= 4) {
    const auto id = read<std::uint16_t>(extra, 0), length = read<std::uint16_t>(extra, 2);
    if (length > extra.size() - 4) return false;
    auto field = extra.subspan(4, length);
    extra = extra.subspan(4 + length);
    if (id != 1) continue;
    for (auto* value : {&size, &stored_size, &offset}) {
      if (*value != kIn64) continue;
      if (field.size() < 8) return false;
      *value = read<std::uint64_t>(field, 0);
      field = field.subspan(8);
    }
    return true;
  }
  return size != kIn64 && stored_size != kIn64 && offset != kIn64;
}

/// One entry of the directory at `at`; `at` then points behind it.
Result<Placed> readEntry(std::span<const std::byte> bytes, const Directory& directory, std::size_t& at) {
  const auto central = bytes.subspan(directory.offset, directory.size);
  if (central.size() - at < kCentralSize || read<std::uint32_t>(central, at) != kCentralSignature)
    return Error{"its zip directory is damaged (an entry lacks its signature)"};
  const auto flags = read<std::uint16_t>(central, at + 8), method = read<std::uint16_t>(central, at + 10);
  Placed placed;
  placed.entry.crc = read<std::uint32_t>(central, at + 16);
  std::uint64_t stored_size = read<std::uint32_t>(central, at + 20), size = read<std::uint32_t>(central, at + 24),
                offset = read<std::uint32_t>(central, at + 42);
  const std::size_t name_size = read<std::uint16_t>(central, at + 28),
                    extra_size = read<std::uint16_t>(central, at + 30),
                    comment_size = read<std::uint16_t>(central, at + 32);
  if (central.size() - at - kCentralSize < name_size + extra_size + comment_size)
    return Error{"its zip directory is damaged (an entry leaves it)"};
  const auto name_bytes = central.subspan(at + kCentralSize, name_size);
  placed.entry.name = {reinterpret_cast<const char*>(name_bytes.data()), name_size};
  const auto bad = [&](std::string_view what) {
    return Error{fmt::format("record {}: {}", shownName(placed.entry.name), what)};
  };
  const auto extra = central.subspan(at + kCentralSize + name_size, extra_size);
  at += kCentralSize + name_size + extra_size + comment_size;
  if (!readZip64(extra, size, stored_size, offset)) return bad("its zip64 field is damaged");
  if (flags & 0x2041) return bad("it is encrypted");
  if (method != 0 && method != 8)
    return bad(fmt::format("zip method {} is unknown (only store and deflate are read)", method));
  placed.entry.method = method == 0 ? ZipMethod::kStored : ZipMethod::kDeflated;
  placed.entry.size = size;

  const auto data_limit = directory.offset;
  if (offset > data_limit || data_limit - offset < kLocalSize || read<std::uint32_t>(bytes, offset) != kLocalSignature)
    return bad("its header is not where the zip directory says; the file is damaged");
  const std::size_t local_name_size = read<std::uint16_t>(bytes, offset + 26);
  const std::uint64_t begin = offset + kLocalSize + local_name_size + read<std::uint16_t>(bytes, offset + 28);
  if (begin > data_limit || local_name_size != name_size ||
      std::memcmp(bytes.data() + offset + kLocalSize, name_bytes.data(), name_size) != 0)
    return bad("its header has another name than the zip directory; the file is damaged");
  if (stored_size > data_limit - begin)
    return bad(fmt::format("its {} bytes leave the file; the file is cut short or damaged", stored_size));
  if (method == 0 ? size != stored_size : size / kMaxDeflateRatio > stored_size)
    return bad(fmt::format("{} bytes cannot hold a content of {}", stored_size, size));
  placed.entry.data = bytes.subspan(begin, stored_size);
  placed.begin = offset, placed.end = begin + stored_size;
  return placed;
}

}  // namespace

std::uint32_t crc32(std::span<const std::byte> bytes, std::uint32_t crc) {
  return static_cast<std::uint32_t>(::crc32_z(crc, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

bool looksLikeZip(std::span<const std::byte> bytes) {
  if (bytes.size() < 4) return false;
  const auto signature = read<std::uint32_t>(bytes, 0);
  return signature == kLocalSignature || signature == kEndSignature;
}

Result<ZipArchive> ZipArchive::parse(std::span<const std::byte> bytes) {
  const auto directory = findDirectory(bytes);
  if (!directory) return directory.error();
  std::vector<Placed> placed;
  placed.reserve(directory->num_entries);
  std::size_t at = 0;
  for (std::uint64_t i = 0; i < directory->num_entries; ++i) {
    auto entry = readEntry(bytes, *directory, at);
    if (!entry) return entry.error();
    placed.push_back(std::move(*entry));
  }
  if (at != directory->size) return Error{"its zip directory is damaged (bytes are left behind its last entry)"};
  ZipArchive archive;
  for (const auto& item : placed) archive.entries_.push_back(item.entry);
  archive.by_name_.resize(placed.size());
  std::iota(archive.by_name_.begin(), archive.by_name_.end(), 0U);
  const auto name = [&](std::uint32_t i) { return archive.entries_[i].name; };
  std::sort(archive.by_name_.begin(), archive.by_name_.end(), [&](auto a, auto b) { return name(a) < name(b); });
  for (std::size_t i = 1; i < archive.by_name_.size(); ++i)
    if (name(archive.by_name_[i - 1]) == name(archive.by_name_[i]))
      return Error{fmt::format("record {} is listed twice", shownName(name(archive.by_name_[i])))};
  std::sort(placed.begin(), placed.end(), [](const Placed& a, const Placed& b) { return a.begin < b.begin; });
  for (std::size_t i = 1; i < placed.size(); ++i)
    if (placed[i].begin < placed[i - 1].end)
      return Error{fmt::format("record {} overlaps record {}", shownName(placed[i].entry.name),
                               shownName(placed[i - 1].entry.name))};
  return archive;
}

const ZipEntry* ZipArchive::find(std::string_view name) const {
  const auto it = std::lower_bound(by_name_.begin(), by_name_.end(), name,
                                   [&](std::uint32_t i, std::string_view wanted) { return entries_[i].name < wanted; });
  return it != by_name_.end() && entries_[*it].name == name ? &entries_[*it] : nullptr;
}

struct ZipEntryReader::State {
  ZipEntry entry;
  z_stream stream{};
  std::uint64_t num_read = 0;
  std::uint32_t crc = 0;
  bool is_inflating = false;
  ~State() {
    if (is_inflating) inflateEnd(&stream);
  }
};

ZipEntryReader::ZipEntryReader(const ZipEntry& entry) : state_(std::make_unique<State>()) {
  state_->entry = entry;
  if (entry.method == ZipMethod::kDeflated) state_->is_inflating = inflateInit2(&state_->stream, -MAX_WBITS) == Z_OK;
}
ZipEntryReader::~ZipEntryReader() = default;
ZipEntryReader::ZipEntryReader(ZipEntryReader&&) noexcept = default;

Result<void> ZipEntryReader::read(std::span<std::byte> out) {
  auto& s = *state_;
  const auto damaged = [&] {
    return Error{fmt::format("record {}: its compressed data is damaged or cut short", shownName(s.entry.name))};
  };
  if (out.size() > s.entry.size - s.num_read)
    return Error{fmt::format("record {} ends after {} bytes; more are needed", shownName(s.entry.name), s.entry.size)};
  if (s.entry.method == ZipMethod::kStored) {
    if (!out.empty()) std::memcpy(out.data(), s.entry.data.data() + s.num_read, out.size());
  } else {
    if (!s.is_inflating) return damaged();
    constexpr std::size_t kMaxStep = std::size_t{1} << 30;  // zlib counts in 32 bits
    for (std::size_t done = 0; done < out.size();) {
      const auto consumed = static_cast<std::size_t>(s.stream.total_in);
      s.stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(s.entry.data.data() + consumed));
      s.stream.avail_in = static_cast<uInt>(std::min(s.entry.data.size() - consumed, kMaxStep));
      s.stream.next_out = reinterpret_cast<Bytef*>(out.data() + done);
      s.stream.avail_out = static_cast<uInt>(std::min(out.size() - done, kMaxStep));
      const auto room = s.stream.avail_out;
      const int status = inflate(&s.stream, Z_NO_FLUSH);
      done += room - s.stream.avail_out;
      if (status != Z_OK && !(status == Z_STREAM_END && done == out.size())) return damaged();
    }
  }
  s.num_read += out.size();
  s.crc = crc32(out, s.crc);
  return {};
}

Result<void> ZipEntryReader::finish() {
  const auto& s = *state_;
  if (s.num_read != s.entry.size)
    return Error{fmt::format("record {}: {} of its {} bytes belong to no data", shownName(s.entry.name),
                             s.entry.size - s.num_read, s.entry.size)};
  if (s.crc != s.entry.crc)
    return Error{fmt::format("record {}: its checksum is wrong; the file is damaged", shownName(s.entry.name))};
  return {};
}

}  // namespace meanflow::base
