// SPDX-License-Identifier: Apache-2.0
#include "core/base/metrics/run_pyramid.h"

#include <fmt/format.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <fstream>
#include <optional>

#include "core/base/run/atomic_file.h"

namespace meanflow::base {
namespace {

// All numbers are little-endian, 8 bytes: magic, checksum of all that follows, covered bytes, next sequence,
// fingerprint of the log, then the kept lines and the series, each list behind its length.
static_assert(std::endian::native == std::endian::little);
constexpr std::string_view kMagic = "MFPYR001";
constexpr std::uintmax_t kMaxFileBytes = std::uintmax_t{1} << 29;
constexpr std::size_t kMaxNameBytes = 512;
constexpr std::size_t kSegmentBytes = 7 * 8;
constexpr std::int64_t kEndBytes = 64 << 10, kBlockBytes = 4 << 10, kNumBlocks = 64;

/// FNV-1a, 64 bits, over words of 8 bytes (the last one filled up with zeros).
std::uint64_t hashed(std::string_view bytes, std::uint64_t hash = 0xcbf29ce484222325ULL) {
  for (std::size_t at = 0; at < bytes.size(); at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + at, std::min<std::size_t>(8, bytes.size() - at));
    hash = (hash ^ word) * 0x100000001b3ULL;
    hash ^= hash >> 32;
  }
  return hash;
}

std::optional<std::uint64_t> fingerprint(const std::filesystem::path& log, std::int64_t covered) {
  std::ifstream file(log, std::ios::binary);
  std::uint64_t hash = hashed(std::to_string(covered));
  std::string block;
  const auto take = [&](std::int64_t from, std::int64_t size) {
    size = std::min(size, covered - from);
    block.resize(static_cast<std::size_t>(size));
    if (!file.seekg(from) || !file.read(block.data(), size)) return false;
    hash = hashed(block, hash);
    return true;
  };
  if (covered <= 0 || !take(0, kEndBytes) || !take(std::max<std::int64_t>(0, covered - kEndBytes), kEndBytes))
    return std::nullopt;
  for (std::int64_t k = 1; k < kNumBlocks; ++k)
    if (!take(covered / kNumBlocks * k, kBlockBytes)) return std::nullopt;
  return hash;
}

class PyramidWriter {
 public:
  template <class T>
  void number(T value) {
    static_assert(sizeof(T) == 8);
    bytes.append(reinterpret_cast<const char*>(&value), sizeof(value));
  }
  void text(std::string_view value) {
    number<std::uint64_t>(value.size());
    bytes.append(value);
  }
  std::string bytes;
};

class PyramidReader {
 public:
  explicit PyramidReader(std::string_view bytes) : rest_(bytes) {}
  template <class T>
  T number() {
    T value{};
    const auto part = take(sizeof(T));
    if (part.size() == sizeof(T)) std::memcpy(&value, part.data(), sizeof(T));
    return value;
  }
  /// The length of a list of things of at least `item_bytes` each, checked against what is left.
  std::size_t length(std::size_t item_bytes, std::size_t max) {
    const auto count = number<std::uint64_t>();
    is_sound_ = is_sound_ && count <= max && count <= rest_.size() / item_bytes;
    return is_sound_ ? static_cast<std::size_t>(count) : 0;
  }
  std::string text(std::size_t max) { return std::string(take(length(1, max))); }
  void require(bool holds) { is_sound_ = is_sound_ && holds; }
  bool isSound() const { return is_sound_; }
  bool isAtEnd() const { return rest_.empty(); }

 private:
  std::string_view take(std::size_t size) {
    if (!is_sound_ || size > rest_.size()) {
      is_sound_ = false;
      return {};
    }
    const auto part = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return part;
  }
  std::string_view rest_;
  bool is_sound_ = true;
};

void writeSegment(PyramidWriter& out, const SeriesSegment& s) {
  for (const double value : {s.x_first, s.x_last, s.y_last, s.low, s.high, s.mean}) out.number(value);
  out.number(s.num_finite);
}

SeriesSegment readSegment(PyramidReader& in) {
  SeriesSegment s;
  for (double* value : {&s.x_first, &s.x_last, &s.y_last, &s.low, &s.high, &s.mean}) *value = in.number<double>();
  s.num_finite = in.number<std::uint64_t>();
  in.require(std::isfinite(s.x_first) && std::isfinite(s.x_last) && s.x_first <= s.x_last);
  if (s.num_finite > 0) in.require(std::isfinite(s.low) && std::isfinite(s.high) && s.low <= s.high);
  if (s.num_finite > 0) in.require(std::isfinite(s.mean));
  return s;
}

}  // namespace

std::filesystem::path runPyramidPath(const std::filesystem::path& log) {
  return log.parent_path() / (log.stem().string() + ".pyramid");
}

Result<RunPyramid> loadRunPyramid(const std::filesystem::path& log) {
  const auto path = runPyramidPath(log);
  const auto fail = [&](const char* what) { return Error{fmt::format("{}: {}", path.string(), what)}; };
  auto file = readFile(path, kMaxFileBytes);
  if (!file) return file.error();
  const std::string_view bytes = *file;
  if (!bytes.starts_with(kMagic)) return fail("is not a pyramid of this version");
  PyramidReader in(bytes.substr(kMagic.size()));
  const auto checksum = in.number<std::uint64_t>();
  if (!in.isSound() || checksum != hashed(bytes.substr(kMagic.size() + 8))) return fail("is damaged");
  RunPyramid pyramid;
  pyramid.covered_bytes = in.number<std::int64_t>();
  pyramid.next_sequence = in.number<std::int64_t>();
  const auto wanted = in.number<std::uint64_t>();
  pyramid.kept.resize(in.length(8, RunPyramid::kMaxKept + 1));
  for (auto& line : pyramid.kept) line = in.text(bytes.size());
  const auto num_series = in.length(24, 100'000);
  for (std::size_t k = 0; k < num_series && in.isSound(); ++k) {
    std::string stage = in.text(kMaxNameBytes), name = in.text(kMaxNameBytes);
    auto& series = pyramid.series[{std::move(stage), std::move(name)}];
    in.require(series.empty());
    const auto num_segments = in.length(kSegmentBytes, 16 * RunPyramid::kMaxSegments);
    for (std::size_t i = 0; i < num_segments && in.isSound(); ++i) {
      const auto segment = readSegment(in);
      in.require(series.empty() || series.x(series.size() - 1) < segment.x_first);
      if (in.isSound()) series.appendSegment(segment);
    }
  }
  if (!in.isSound() || !in.isAtEnd()) return fail("is damaged");
  std::error_code code;
  const auto size = std::filesystem::file_size(log, code);
  if (code || pyramid.covered_bytes <= 0 || size < static_cast<std::uintmax_t>(pyramid.covered_bytes))
    return fail("covers more than the log holds");
  if (fingerprint(log, pyramid.covered_bytes) != wanted) return fail("was made of another log");
  return pyramid;
}

Result<void> saveRunPyramid(const std::filesystem::path& log, const RunPyramid& pyramid) {
  const auto path = runPyramidPath(log);
  const auto print = fingerprint(log, pyramid.covered_bytes);
  if (!print) return Error{fmt::format("{}: shorter than the {} bytes read", log.string(), pyramid.covered_bytes)};
  PyramidWriter out;
  out.number(pyramid.covered_bytes), out.number(pyramid.next_sequence), out.number(*print);
  out.number<std::uint64_t>(pyramid.kept.size());
  for (const auto& line : pyramid.kept) out.text(line);
  std::uint64_t num_series = 0;
  for (const auto& [key, series] : pyramid.series)
    if (key.first.size() <= kMaxNameBytes && key.second.size() <= kMaxNameBytes) ++num_series;
  out.number(num_series);
  for (const auto& [key, series] : pyramid.series) {
    if (key.first.size() > kMaxNameBytes || key.second.size() > kMaxNameBytes) continue;
    out.text(key.first), out.text(key.second);
    const auto segments = series.segments(1);
    out.number<std::uint64_t>(segments.size());
    for (const auto& segment : segments) writeSegment(out, segment);
  }
  PyramidWriter head;
  head.bytes = kMagic;
  head.number(hashed(out.bytes));
  return writeFileAtomically(path, head.bytes + out.bytes);
}

}  // namespace meanflow::base
