// SPDX-License-Identifier: Apache-2.0
#include "core/base/formats/finite_check.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace meanflow::base {
namespace {

constexpr std::size_t kFinitePiece = std::size_t{4} << 20;  // a multiple of every element size

/// Values whose bits under `mask` equal `pattern`: with all exponent bits set a float is infinite or not a number.
template <class Word>
std::int64_t countPattern(std::span<const std::byte> bytes, Word mask, Word pattern) {
  std::int64_t count = 0;
  for (std::size_t at = 0; at + sizeof(Word) <= bytes.size(); at += sizeof(Word)) {
    Word word;
    std::memcpy(&word, bytes.data() + at, sizeof(Word));
    count += (word & mask) == pattern ? 1 : 0;
  }
  return count;
}

template <class Word>
std::int64_t countPattern(std::span<const std::byte> bytes, Word mask) {
  return countPattern<Word>(bytes, mask, mask);
}

}  // namespace

std::int64_t countNonFinite(std::string_view dtype, std::span<const std::byte> bytes) {
  if (dtype == "F32" || dtype == "C64") return countPattern<std::uint32_t>(bytes, 0x7f800000U);
  if (dtype == "F64" || dtype == "C128") return countPattern<std::uint64_t>(bytes, 0x7ff0000000000000ULL);
  if (dtype == "F16") return countPattern<std::uint16_t>(bytes, 0x7c00U);
  if (dtype == "BF16") return countPattern<std::uint16_t>(bytes, 0x7f80U);
  if (dtype == "F8_E5M2") return countPattern<std::uint8_t>(bytes, 0x7cU);
  if (dtype == "F8_E4M3") return countPattern<std::uint8_t>(bytes, 0x7fU);  // no infinity, one pattern beside its sign
  if (dtype == "F8_E5M2FNUZ" || dtype == "F8_E4M3FNUZ") return countPattern<std::uint8_t>(bytes, 0xffU, 0x80U);
  if (dtype == "F8_E8M0") return countPattern<std::uint8_t>(bytes, 0xffU);
  return 0;
}

FiniteCheck checkFinite(const SafetensorsFile& file, const std::function<bool()>& is_cancelled) {
  FiniteCheck check;
  std::vector<std::byte> buffer;
  for (const auto& [name, tensor] : file.tensors()) {
    ++check.num_tensors;
    std::int64_t num_bad = 0;
    for (std::size_t at = 0; at < tensor.bytes.size(); at += kFinitePiece) {
      if (is_cancelled && is_cancelled()) {
        check.is_cancelled = true;
        return check;
      }
      TensorView piece{tensor.dtype, {}, tensor.bytes.subspan(at, std::min(kFinitePiece, tensor.bytes.size() - at))};
      buffer.resize(piece.bytes.size());
      file.copy(piece, buffer);  // gives the pages back as it goes
      num_bad += countNonFinite(tensor.dtype, buffer);
      check.num_bytes += static_cast<std::int64_t>(buffer.size());
    }
    if (num_bad > 0) {
      check.first_bad = name;
      check.num_non_finite = num_bad;
      return check;
    }
  }
  return check;
}

}  // namespace meanflow::base
