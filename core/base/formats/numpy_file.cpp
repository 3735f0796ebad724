// SPDX-License-Identifier: Apache-2.0
#include "core/base/formats/numpy_file.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cstring>
#include <optional>
#include <set>

namespace meanflow::base {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::size_t kMaxHeaderBytes = 1 << 16, kMaxAxes = 64;

using Names = std::pair<std::string_view, std::string_view>;
constexpr auto kDtypes = std::to_array<Names>({{"f8", "F64"},
                                               {"f4", "F32"},
                                               {"f2", "F16"},
                                               {"i8", "I64"},
                                               {"i4", "I32"},
                                               {"i2", "I16"},
                                               {"i1", "I8"},
                                               {"u8", "U64"},
                                               {"u4", "U32"},
                                               {"u2", "U16"},
                                               {"u1", "U8"},
                                               {"b1", "BOOL"},
                                               {"c8", "C64"},
                                               {"c16", "C128"}});

/// What a header says; an empty dtype is one that holds no numbers.
struct Header {
  std::string descr, dtype;
  bool is_big_endian = false, is_fortran = false;
  std::vector<std::int64_t> shape;
};

/// Reads the literal {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }.
class HeaderParser {
 public:
  explicit HeaderParser(std::string_view text) : text_(text) {}

  std::optional<Header> parse() {
    Header header;
    std::set<std::string> seen;
    if (!accept('{')) return std::nullopt;
    while (!accept('}')) {
      const auto key = string();
      if (!key || !accept(':') || !seen.insert(*key).second) return std::nullopt;
      if (*key == "descr"           ? !descr(header)
          : *key == "fortran_order" ? !flag(header.is_fortran)
          : *key == "shape"         ? !shape(header.shape)
                                    : true)
        return std::nullopt;
      if (!accept(',') && !peek('}')) return std::nullopt;
    }
    skipSpace();
    return text_.empty() && seen.size() == 3 ? std::optional(std::move(header)) : std::nullopt;
  }

 private:
  void skipSpace() {
    while (!text_.empty() && (text_[0] == ' ' || text_[0] == '\n')) text_.remove_prefix(1);
  }
  bool peek(char letter) { return skipSpace(), !text_.empty() && text_[0] == letter; }
  bool accept(char letter) { return peek(letter) && (text_.remove_prefix(1), true); }
  std::optional<std::string> string() {
    for (const char quote : {'\'', '"'}) {
      if (!accept(quote)) continue;
      const auto end = text_.find(quote);
      if (end == std::string_view::npos) return std::nullopt;
      std::string found(text_.substr(0, end));
      text_.remove_prefix(end + 1);
      return found;
    }
    return std::nullopt;
  }
  bool descr(Header& header) {
    if (peek('[')) {  // a structure: skip it, it is never read as a tensor
      int depth = 0;
      do {
        if (text_.empty()) return false;
        depth += text_[0] == '[' ? 1 : text_[0] == ']' ? -1 : 0;
        text_.remove_prefix(1);
      } while (depth > 0);
      header.descr = "a structure";
      return true;
    }
    const auto found = string();
    if (!found || found->size() < 2) return false;
    header.descr = *found;
    header.is_big_endian = found->front() == '>';
    const bool has_order = std::string_view("<>|=").find(found->front()) != std::string_view::npos;
    const auto kind = std::string_view(*found).substr(has_order ? 1 : 0);
    for (const auto& [numpy, dtype] : kDtypes)
      if (numpy == kind) header.dtype = dtype;
    return true;
  }
  bool flag(bool& value) {
    skipSpace();
    for (const auto& [word, meaning] : {std::pair<std::string_view, bool>{"True", true}, {"False", false}})
      if (text_.starts_with(word)) return value = meaning, text_.remove_prefix(word.size()), true;
    return false;
  }
  bool shape(std::vector<std::int64_t>& sides) {
    if (!accept('(')) return false;
    while (!accept(')')) {
      skipSpace();
      std::int64_t side = 0;
      const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), side);
      if (error != std::errc() || side < 0 || sides.size() >= kMaxAxes) return false;
      sides.push_back(side);
      text_.remove_prefix(static_cast<std::size_t>(end - text_.data()));
      accept('L');  // Python 2
      if (!accept(',') && !peek(')')) return false;
    }
    return true;
  }

  std::string_view text_;
};

/// Bytes before the text of the header: magic, version and the text's length.
struct Prefix {
  std::size_t size = 0, text_size = 0;
};
Result<Prefix> readPrefix(std::span<const std::byte> bytes) {
  if (bytes.size() < 12 || std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) != 0)
    return Error{"it is no .npy record (wrong magic)"};
  const auto version = static_cast<int>(bytes[6]);
  if (version < 1 || version > 3) return Error{fmt::format(".npy version {} is unknown (1 to 3 are read)", version)};
  Prefix prefix{version == 1 ? 10U : 12U, 0};
  std::memcpy(&prefix.text_size, bytes.data() + 8, version == 1 ? 2 : 4);
  if (prefix.text_size > kMaxHeaderBytes)
    return Error{fmt::format("its header has {} bytes (at most {})", prefix.text_size, kMaxHeaderBytes)};
  return prefix;
}

std::vector<std::int64_t> fortranStrides(const std::vector<std::int64_t>& shape) {
  std::vector<std::int64_t> strides(shape.size(), 1);
  for (std::size_t axis = 1; axis < shape.size(); ++axis)
    strides[axis] = strides[axis - 1] * std::max<std::int64_t>(shape[axis - 1], 1);
  return strides;
}

/// The array of a record whose content has `content_size` bytes, the first of which are in `head`. Its dtype is empty
/// where it holds no numbers.
Result<NumpyArray> describe(std::span<const std::byte> head, std::uint64_t content_size, std::string& descr) {
  const auto prefix = readPrefix(head);
  if (!prefix) return prefix.error();
  if (prefix->size + prefix->text_size > head.size()) return Error{"its header is cut short"};
  const auto header =
      HeaderParser({reinterpret_cast<const char*>(head.data()) + prefix->size, prefix->text_size}).parse();
  if (!header) return Error{"its header is not one of numpy"};
  descr = header->descr;
  NumpyArray array{.name = {}, .view = {}, .record = 0, .header_size = prefix->size + prefix->text_size};
  if (header->dtype.empty()) return array;
  const auto size = numBytes(header->shape, dtypeSize(header->dtype));
  if (!size) return Error{fmt::format("its shape {} overflows", shapeText(header->shape))};
  if (*size != content_size - array.header_size)
    return Error{fmt::format("shape {} of {} needs {} bytes, {} are there", shapeText(header->shape),
                             shownName(header->descr), *size, content_size - array.header_size)};
  array.view = {.dtype = header->dtype,
                .shape = header->shape,
                .strides = header->is_fortran ? fortranStrides(header->shape) : rowMajorStrides(header->shape),
                .bytes = {},
                .is_big_endian = header->is_big_endian};
  return array;
}

/// The first bytes of a record: header and, when the record is small, more.
Result<std::vector<std::byte>> readHead(const ZipEntry& entry) {
  ZipEntryReader reader(entry);
  std::vector<std::byte> head(static_cast<std::size_t>(std::min<std::uint64_t>(entry.size, 12)));
  if (auto done = reader.read(head); !done) return done.error();
  const auto prefix = readPrefix(head);
  if (!prefix) return prefix.error();
  const auto wanted = std::min<std::uint64_t>(entry.size, prefix->size + prefix->text_size);
  const auto have = head.size();
  head.resize(std::max<std::size_t>(have, wanted));
  if (auto done = reader.read(std::span(head).subspan(have)); !done) return done.error();
  return head;
}

}  // namespace

Result<NumpyFile> NumpyFile::open(const std::filesystem::path& path) {
  auto mapped = MappedFile::open(path);
  if (!mapped) return mapped.error();
  NumpyFile file;
  file.name_ = path.string();
  file.file_ = std::move(*mapped);
  if (auto done = file.read(file.file_.bytes()); !done)
    return Error{fmt::format("{}: {}", file.name_, done.error().message)};
  return file;
}

Result<NumpyFile> NumpyFile::parse(std::span<const std::byte> bytes, const std::string& name) {
  NumpyFile file;
  file.name_ = name;
  if (auto done = file.read(bytes); !done) return Error{fmt::format("{}: {}", name, done.error().message)};
  return file;
}

Result<void> NumpyFile::read(std::span<const std::byte> bytes) {
  std::string descr;
  if (!looksLikeZip(bytes)) {
    auto array = describe(bytes.first(std::min(bytes.size(), kMaxHeaderBytes + 12)), bytes.size(), descr);
    if (!array) return array.error();
    if (array->view.dtype.empty()) return Error{fmt::format("an array of {} holds no numbers", shownName(descr))};
    array->name = std::filesystem::path(name_).stem().string();
    array->view.bytes = bytes.subspan(array->header_size);
    arrays_.push_back(std::move(*array));
    return {};
  }
  auto archive = ZipArchive::parse(bytes);
  if (!archive) return archive.error();
  archive_ = std::move(*archive);
  for (std::size_t i = 0; i < archive_.entries().size(); ++i) {
    const auto& entry = archive_.entries()[i];
    const auto bad = [&](const Error& error) {
      return Error{fmt::format("array {}: {}", shownName(entry.name), error.message)};
    };
    if (!entry.name.ends_with(".npy")) {
      unreadable_.push_back(fmt::format("{}: not an .npy record", shownName(entry.name)));
      continue;
    }
    const auto head = readHead(entry);
    if (!head) return bad(head.error());
    auto array = describe(*head, entry.size, descr);
    if (!array) return bad(array.error());
    const auto name = entry.name.substr(0, entry.name.size() - 4);
    if (array->view.dtype.empty()) {
      unreadable_.push_back(fmt::format("{}: dtype {} holds no numbers", shownName(name), shownName(descr)));
      continue;
    }
    array->name = name;
    array->record = i;
    if (entry.method == ZipMethod::kStored) array->view.bytes = entry.data.subspan(array->header_size);
    arrays_.push_back(std::move(*array));
  }
  return {};
}

const NumpyArray* NumpyFile::find(std::string_view name) const {
  for (const auto& array : arrays_)
    if (array.name == name) return &array;
  return nullptr;
}

Result<void> NumpyFile::copy(const NumpyArray& array, std::span<std::byte> out) const {
  if (archive_.entries().empty()) {
    copyContiguous(array.view, out);
    file_.release(array.view.bytes);
    return {};
  }
  const auto& entry = archive_.entries()[array.record];
  const auto bad = [&](const Error& error) {
    return Error{fmt::format("{}: array {}: {}", name_, shownName(array.name), error.message)};
  };
  ZipEntryReader reader(entry);
  std::vector<std::byte> header(array.header_size);
  if (auto done = reader.read(header); !done) return bad(done.error());
  // Straight into `out` in pieces, and from there in the right order where the file has another.
  constexpr std::size_t kPiece = std::size_t{64} << 20;
  for (std::size_t at = 0; at < out.size(); at += kPiece) {
    const auto size = std::min(kPiece, out.size() - at);
    if (auto done = reader.read(out.subspan(at, size)); !done) return bad(done.error());
    if (entry.method == ZipMethod::kStored) file_.release(entry.data.subspan(array.header_size + at, size));
  }
  if (auto done = reader.finish(); !done) return bad(done.error());
  if (array.view.is_big_endian || array.view.strides != rowMajorStrides(array.view.shape)) {
    const std::vector<std::byte> as_stored(out.begin(), out.end());
    auto view = array.view;
    view.bytes = as_stored;
    copyContiguous(view, out);
  }
  return {};
}

Result<NpzWriter> NpzWriter::create(const std::filesystem::path& target, std::vector<TensorSpec> arrays) {
  std::set<std::string_view> seen;
  for (const auto& array : arrays) {
    const auto bad = [&](std::string_view what) {
      return Error{fmt::format("{}: cannot write array {}: {}", target.string(), shownName(array.name), what)};
    };
    if (!seen.insert(array.name).second) return bad("the name is given twice");
    if (!numBytes(array.shape, 16)) return bad("its shape overflows or is negative");
    bool is_known = false;
    for (const auto& entry : kDtypes) is_known = is_known || entry.second == array.dtype;
    if (!is_known) return bad(fmt::format("numpy has no dtype for {}; convert it to F32 first", array.dtype));
  }
  auto zip = ZipWriter::create(target);
  if (!zip) return zip.error();
  return NpzWriter(target, std::move(arrays), std::move(*zip));
}

Result<void> NpzWriter::append(std::span<const std::byte> bytes) {
  if (num_appended_ >= arrays_.size())
    return Error{fmt::format("{}: more arrays than were announced", target_.string())};
  const auto& array = arrays_[num_appended_];
  if (bytes.size() != *numBytes(array.shape, dtypeSize(array.dtype)))
    return Error{fmt::format("{}: array {}: {} bytes given, its shape needs {}", target_.string(),
                             shownName(array.name), bytes.size(), *numBytes(array.shape, dtypeSize(array.dtype)))};
  std::string_view kind;
  for (const auto& [numpy, dtype] : kDtypes)
    if (dtype == array.dtype) kind = numpy;
  std::string shape;
  for (const auto side : array.shape) shape += fmt::format("{}{}", shape.empty() ? "" : ", ", side);
  if (array.shape.size() == 1) shape += ",";
  auto text = fmt::format("{{'descr': '{}{}', 'fortran_order': False, 'shape': ({}), }}",
                          dtypeSize(array.dtype) == 1 ? '|' : '<', kind, shape);
  constexpr std::size_t kPrefix = 10, kAlignment = 64;  // numpy pads so too
  text.resize((kPrefix + text.size() + 1 + kAlignment - 1) / kAlignment * kAlignment - kPrefix, ' ');
  text.back() = '\n';
  std::string header(kMagic);
  header += {'\x01', '\x00', static_cast<char>(text.size() & 0xff), static_cast<char>(text.size() >> 8)};
  header += text;
  const std::span<const std::byte> pieces[] = {std::as_bytes(std::span(header)), bytes};
  ++num_appended_;
  return zip_.add(array.name + ".npy", pieces);
}

Result<void> NpzWriter::commit() {
  if (num_appended_ != arrays_.size())
    return Error{
        fmt::format("{}: {} of the {} announced arrays were given", target_.string(), num_appended_, arrays_.size())};
  return zip_.commit();
}

}  // namespace meanflow::base
