// SPDX-License-Identifier: Apache-2.0
#include "core/checkpoint/dtypes.h"

#include <array>

namespace meanflow::core {
namespace {

struct Dtype {
  std::string_view name;
  torch::ScalarType type;
};
constexpr std::array kDtypes = std::to_array<Dtype>({{"F64", torch::kFloat64},
                                                     {"F32", torch::kFloat32},
                                                     {"F16", torch::kHalf},
                                                     {"BF16", torch::kBFloat16},
                                                     {"I64", torch::kInt64},
                                                     {"I32", torch::kInt32},
                                                     {"I16", torch::kInt16},
                                                     {"I8", torch::kInt8},
                                                     {"U8", torch::kUInt8},
                                                     {"U16", torch::kUInt16},
                                                     {"U32", torch::kUInt32},
                                                     {"U64", torch::kUInt64},
                                                     {"BOOL", torch::kBool},
                                                     {"C64", torch::kComplexFloat},
                                                     {"C128", torch::kComplexDouble},
                                                     {"F8_E5M2", torch::kFloat8_e5m2},
                                                     {"F8_E4M3", torch::kFloat8_e4m3fn},
                                                     {"F8_E5M2FNUZ", torch::kFloat8_e5m2fnuz},
                                                     {"F8_E4M3FNUZ", torch::kFloat8_e4m3fnuz},
                                                     {"F8_E8M0", torch::kFloat8_e8m0fnu}});

}  // namespace

std::optional<torch::ScalarType> scalarTypeOf(std::string_view dtype) {
  for (const auto& known : kDtypes)
    if (known.name == dtype) return known.type;
  return std::nullopt;
}

std::string_view dtypeNameOf(torch::ScalarType type) {
  for (const auto& known : kDtypes)
    if (known.type == type) return known.name;
  return {};
}

}  // namespace meanflow::core
