// SPDX-License-Identifier: Apache-2.0
//
// One description per configuration struct serves reading, writing, checking, --help and the studio's forms: a struct
// gets a free function `describe(visitor, struct)` that names each member once with its range, unit and help text.
#pragma once
#include <cstddef>
#include <initializer_list>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace meanflow::base {

/// What a person may know of one setting. `min` and `max` are inclusive.
struct FieldInfo {
  std::string_view help;
  std::string_view unit = "";
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
  std::initializer_list<std::string_view> choices = {};
  std::size_t min_items = 0, max_items = 0;  ///< Lists: how many entries; max_items 0 = any number.
};

// A visitor offers
//   template <class T> void field(std::string_view name, T& value, FieldInfo info);
//     with T one of bool, std::int64_t, double, std::string, std::vector<std::int64_t>, std::vector<std::string>
//   template <class S> void section(std::string_view name, S& value, std::string_view help);   // calls describe(*this,
//   value)

}  // namespace meanflow::base
