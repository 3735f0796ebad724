// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "core/base/formats/safetensors.h"

namespace meanflow::base {

/// Number of values in `bytes` that are infinite or not a number, told from their bit patterns. `dtype` as in
/// stored_tensor.h; integers and unknown kinds have none. Complex numbers count as two. Bytes beyond the last whole
/// value are passed over; alignment does not matter.
std::int64_t countNonFinite(std::string_view dtype, std::span<const std::byte> bytes);

struct FiniteCheck {
  std::int64_t num_tensors = 0;     ///< Looked at.
  std::int64_t num_bytes = 0;       ///< Read.
  std::string first_bad;            ///< Name of the first tensor with such a value; empty: all are finite.
  std::int64_t num_non_finite = 0;  ///< In that tensor.
  bool is_cancelled = false;        ///< It was told to stop before the end.
};

/// Reads every tensor of a file piece by piece (a few MiB in memory) until one is not finite. `is_cancelled` is asked
/// between pieces.
FiniteCheck checkFinite(const SafetensorsFile& file, const std::function<bool()>& is_cancelled = {});

}  // namespace meanflow::base
