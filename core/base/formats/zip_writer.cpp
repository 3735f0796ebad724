// SPDX-License-Identifier: Apache-2.0
#include "core/base/formats/zip_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "core/base/formats/zip_archive.h"

namespace meanflow::base {
namespace {

constexpr std::uint32_t kSizeIn64 = 0xffffffff;
constexpr std::uint16_t kUtf8Names = 0x0800, kVersion = 20, kVersion64 = 45, kFirstOf1980 = 0x0021;
constexpr std::uint16_t kPaddingField = 0x4246;  // "FB", which PyTorch pads with

/// Little-endian numbers one after the other.
class Fields {
 public:
  template <class T>
  Fields& add(T value) {
    char bytes[sizeof value];
    std::memcpy(bytes, &value, sizeof value);
    text_.append(bytes, sizeof value);
    return *this;
  }
  Fields& u16(std::uint64_t value) { return add(static_cast<std::uint16_t>(value)); }
  Fields& u32(std::uint64_t value) { return add(static_cast<std::uint32_t>(value)); }
  Fields& text(const std::string& text) { return text_ += text, *this; }
  const std::string& str() const { return text_; }

 private:
  std::string text_;
};

bool isLarge(std::uint64_t number) { return number >= kSizeIn64; }
std::uint64_t in32(std::uint64_t number) { return std::min<std::uint64_t>(number, kSizeIn64); }

}  // namespace

Result<ZipWriter> ZipWriter::create(const std::filesystem::path& target) {
  auto file = AtomicFile::create(target);
  if (!file) return file.error();
  return ZipWriter(std::move(*file));
}

Result<void> ZipWriter::add(const std::string& name, std::span<const std::span<const std::byte>> pieces,
                            std::size_t alignment) {
  if (name.empty() || name.size() > 4096) return Error{fmt::format("a record cannot be named '{:.80}'", name)};
  Record record{name, 0, 0, offset_};
  for (const auto piece : pieces) {
    record.crc = crc32(piece, record.crc);
    record.size += piece.size();
  }
  std::string extra;
  if (isLarge(record.size)) extra = Fields().u16(1).u16(16).add(record.size).add(record.size).str();
  const auto unpadded = offset_ + 30 + name.size() + extra.size();
  if (alignment > 1 && unpadded % alignment != 0) {
    const auto missing = (alignment - (unpadded + 4) % alignment) % alignment;
    extra += Fields().u16(kPaddingField).u16(missing).text(std::string(missing, 'Z')).str();
  }
  const auto header = Fields()
                          .u32(0x04034b50)
                          .u16(isLarge(record.size) ? kVersion64 : kVersion)
                          .u16(kUtf8Names)
                          .u16(0)
                          .u16(0)
                          .u16(kFirstOf1980)
                          .u32(record.crc)
                          .u32(in32(record.size))
                          .u32(in32(record.size))
                          .u16(name.size())
                          .u16(extra.size())
                          .text(name)
                          .text(extra)
                          .str();
  if (auto written = file_.write(header); !written) return written;
  for (const auto piece : pieces)
    if (auto written = file_.write(piece); !written) return written;
  offset_ += header.size() + record.size;
  records_.push_back(std::move(record));
  return {};
}

Result<void> ZipWriter::commit() {
  const auto directory = offset_;
  for (const auto& record : records_) {
    Fields extra;
    if (isLarge(record.size)) extra.add(record.size).add(record.size);
    if (isLarge(record.offset)) extra.add(record.offset);
    const auto num_extra = extra.str().size();
    const auto extra_field = num_extra > 0 ? Fields().u16(1).u16(num_extra).text(extra.str()).str() : std::string();
    const auto version = num_extra > 0 ? kVersion64 : kVersion;
    const auto entry = Fields()
                           .u32(0x02014b50)
                           .u16(version)
                           .u16(version)
                           .u16(kUtf8Names)
                           .u16(0)
                           .u16(0)
                           .u16(kFirstOf1980)
                           .u32(record.crc)
                           .u32(in32(record.size))
                           .u32(in32(record.size))
                           .u16(record.name.size())
                           .u16(extra_field.size())
                           .u16(0)
                           .u16(0)
                           .u16(0)
                           .u32(0)
                           .u32(in32(record.offset))
                           .text(record.name)
                           .text(extra_field)
                           .str();
    if (auto written = file_.write(entry); !written) return written;
    offset_ += entry.size();
  }
  const auto size = offset_ - directory;
  const std::uint64_t num = records_.size(), zero = 0;
  Fields end;
  if (isLarge(directory) || isLarge(size) || num >= 0xffff) {
    end.u32(0x06064b50)
        .add(std::uint64_t{44})
        .u16(kVersion64)
        .u16(kVersion64)
        .u32(0)
        .u32(0)
        .add(num)
        .add(num)
        .add(size)
        .add(directory);
    end.u32(0x07064b50).u32(0).add(directory + size).u32(1);
  }
  const auto num16 = std::min<std::uint64_t>(num, 0xffff);
  end.u32(0x06054b50).u16(zero).u16(zero).u16(num16).u16(num16).u32(in32(size)).u32(in32(directory)).u16(zero);
  if (auto written = file_.write(end.str()); !written) return written;
  return file_.commit();
}

}  // namespace meanflow::base
