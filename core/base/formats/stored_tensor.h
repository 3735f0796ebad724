// SPDX-License-Identifier: Apache-2.0
//
// Tensors as they lie in files: dtype names, sizes that cannot overflow, strided views over bytes. Shared by the
// readers and writers of this folder.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace meanflow::base {

/// Bytes of one element, 0 for an unknown dtype. Names are those of safetensors in every format: F64 F32 F16 BF16 I64
/// I32 I16 I8 U64 U32 U16 U8 BOOL F8_E5M2 F8_E4M3 F8_E5M2FNUZ F8_E4M3FNUZ F8_E8M0 C64, and C128 (which safetensors
/// lacks).
std::size_t dtypeSize(std::string_view dtype);

/// shape * element size in bytes; nothing when a side is negative or the product overflows.
std::optional<std::uint64_t> numBytes(std::span<const std::int64_t> shape, std::size_t element_size);

/// Strides of a contiguous tensor, in elements.
std::vector<std::int64_t> rowMajorStrides(std::span<const std::int64_t> shape);

/// "[2, 3]".
std::string shapeText(std::span<const std::int64_t> shape);

/// A name out of a file, fit for a message: in quotes, without control characters, cut when long.
std::string shownName(std::string_view name);

/// A tensor lying in foreign memory.
struct StoredTensor {
  std::string dtype;
  std::vector<std::int64_t> shape;
  std::vector<std::int64_t> strides;  ///< In elements, one an axis, not negative, no two elements at one place.
  std::span<const std::byte> bytes;   ///< From the first element to the end of the last; perhaps unaligned.
  bool is_big_endian = false;
};

/// Elements from the first to behind the last one, 0 for a tensor without elements. The error (without a file's name)
/// says when a stride is negative, elements overlap (an expanded tensor, for example) or numbers overflow.
Result<std::uint64_t> spanInElements(std::span<const std::int64_t> shape, std::span<const std::int64_t> strides);

/// Copies the tensor to `out` row by row in the machine's byte order. `out` has exactly the tensor's size in bytes
/// (std::invalid_argument otherwise).
void copyContiguous(const StoredTensor& tensor, std::span<std::byte> out);

}  // namespace meanflow::base
