// SPDX-License-Identifier: Apache-2.0
#include "core/base/formats/stored_tensor.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace meanflow::base {
namespace {

static_assert(std::endian::native == std::endian::little, "files are little-endian; only marked ones are swapped");

constexpr auto kStoredDtypes = std::to_array<std::pair<std::string_view, std::size_t>>(
    {{"F64", 8},     {"F32", 4},         {"F16", 2},         {"BF16", 2},    {"I64", 8}, {"I32", 4},  {"I16", 2},
     {"I8", 1},      {"U64", 8},         {"U32", 4},         {"U16", 2},     {"U8", 1},  {"BOOL", 1}, {"F8_E5M2", 1},
     {"F8_E4M3", 1}, {"F8_E5M2FNUZ", 1}, {"F8_E4M3FNUZ", 1}, {"F8_E8M0", 1}, {"C64", 8}, {"C128", 16}});

/// The unit in which bytes are swapped: a complex number is two.
std::size_t swapUnit(std::string_view dtype) {
  return dtype == "C64" || dtype == "C128" ? dtypeSize(dtype) / 2 : dtypeSize(dtype);
}

template <std::size_t kSize>
void gatherRow(const std::byte* from, std::int64_t num, std::int64_t stride, std::byte* to) {
  for (std::int64_t i = 0; i < num; ++i)
    std::memcpy(to + i * static_cast<std::int64_t>(kSize), from + i * stride, kSize);
}

using GatherRow = void (*)(const std::byte*, std::int64_t, std::int64_t, std::byte*);
GatherRow gatherFor(std::size_t element_size) {
  switch (element_size) {
    case 1:
      return gatherRow<1>;
    case 2:
      return gatherRow<2>;
    case 4:
      return gatherRow<4>;
    case 8:
      return gatherRow<8>;
    default:
      return gatherRow<16>;
  }
}

/// Walks all axes but the last with a counter an axis.
void gather(const StoredTensor& tensor, std::size_t element_size, std::span<std::byte> out) {
  const auto& shape = tensor.shape;
  const auto size = static_cast<std::int64_t>(element_size);
  const std::size_t num_outer = shape.size() - 1;
  const auto row = gatherFor(element_size);
  std::vector<std::int64_t> index(num_outer, 0);
  const std::byte* from = tensor.bytes.data();
  for (std::size_t written = 0; written < out.size();) {
    row(from, shape.back(), tensor.strides.back() * size, out.data() + written);
    written += static_cast<std::size_t>(shape.back()) * element_size;
    for (std::size_t axis = num_outer; axis-- > 0;) {
      from += tensor.strides[axis] * size;
      if (++index[axis] < shape[axis]) break;
      from -= tensor.strides[axis] * size * shape[axis];
      index[axis] = 0;
    }
  }
}

}  // namespace

std::size_t dtypeSize(std::string_view dtype) {
  for (const auto& [name, size] : kStoredDtypes)
    if (name == dtype) return size;
  return 0;
}

std::optional<std::uint64_t> numBytes(std::span<const std::int64_t> shape, std::size_t element_size) {
  std::uint64_t total = element_size;
  bool is_empty = false;
  for (const auto side : shape) {
    if (side < 0) return std::nullopt;
    is_empty = is_empty || side == 0;
    // A zero elsewhere does not excuse sides whose product overflows: every library multiplies them one by one.
    if (side > 0 && __builtin_mul_overflow(total, static_cast<std::uint64_t>(side), &total)) return std::nullopt;
  }
  if (total > static_cast<std::uint64_t>(INT64_MAX)) return std::nullopt;
  return is_empty ? 0 : total;
}

std::vector<std::int64_t> rowMajorStrides(std::span<const std::int64_t> shape) {
  std::vector<std::int64_t> strides(shape.size(), 1);
  for (std::size_t axis = shape.size(); axis-- > 1;)
    strides[axis - 1] = strides[axis] * std::max<std::int64_t>(shape[axis], 1);
  return strides;
}

std::string shapeText(std::span<const std::int64_t> shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

std::string shownName(std::string_view name) {
  constexpr std::size_t kMaxShown = 160;
  std::string text(name.substr(0, kMaxShown));
  for (auto& letter : text)
    if (static_cast<unsigned char>(letter) < 0x20 || letter == 0x7f) letter = '?';
  return fmt::format("'{}{}'", text, name.size() > kMaxShown ? "..." : "");
}

Result<std::uint64_t> spanInElements(std::span<const std::int64_t> shape, std::span<const std::int64_t> strides) {
  if (shape.size() != strides.size())
    return Error{fmt::format("{} sides, but {} strides", shape.size(), strides.size())};
  if (!numBytes(shape, 16)) return Error{fmt::format("shape {} is negative or overflows", shapeText(shape))};
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return std::uint64_t{0};
  std::vector<std::pair<std::int64_t, std::int64_t>> axes;  // (stride, side) from the innermost outwards
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    if (strides[axis] < 0) return Error{fmt::format("strides {} are negative", shapeText(strides))};
    if (shape[axis] > 1) axes.emplace_back(strides[axis], shape[axis]);
  }
  std::sort(axes.begin(), axes.end());
  std::int64_t last = 0;  // position of the last element of the axes so far
  for (const auto& [stride, side] : axes) {
    if (stride <= last)
      return Error{
          fmt::format("strides {} of shape {} put several elements at one place (an expanded tensor? save "
                      "tensor.clone() instead)",
                      shapeText(strides), shapeText(shape))};
    std::int64_t reach = 0;
    if (__builtin_mul_overflow(stride, side - 1, &reach) || __builtin_add_overflow(last, reach, &last) ||
        last == INT64_MAX)
      return Error{fmt::format("strides {} of shape {} overflow", shapeText(strides), shapeText(shape))};
  }
  return static_cast<std::uint64_t>(last) + 1;
}

void copyContiguous(const StoredTensor& tensor, std::span<std::byte> out) {
  const auto element_size = dtypeSize(tensor.dtype);
  const auto size = numBytes(tensor.shape, element_size);
  if (element_size == 0 || !size || *size != out.size() || tensor.strides.size() != tensor.shape.size())
    throw std::invalid_argument("copyContiguous: the buffer does not have the tensor's size");
  if (out.empty()) return;
  const auto extent = spanInElements(tensor.shape, tensor.strides);
  if (!extent || *extent > tensor.bytes.size() / element_size)
    throw std::invalid_argument("copyContiguous: the tensor reaches beyond its bytes");
  if (*extent * element_size == out.size() && tensor.strides == rowMajorStrides(tensor.shape)) {
    std::memcpy(out.data(), tensor.bytes.data(), out.size());
  } else if (tensor.shape.empty()) {
    std::memcpy(out.data(), tensor.bytes.data(), element_size);
  } else {
    gather(tensor, element_size, out);
  }
  if (!tensor.is_big_endian) return;
  const auto unit = swapUnit(tensor.dtype);
  for (std::size_t at = 0; at < out.size(); at += unit) std::reverse(out.begin() + at, out.begin() + at + unit);
}

}  // namespace meanflow::base
