// SPDX-License-Identifier: Apache-2.0
#include "core/checkpoint/tensor_shapes.h"

#include <charconv>
#include <cmath>

namespace meanflow::core {
namespace {

constexpr std::int64_t kMaxLayers = 1024;

}  // namespace

const TensorShapes::Shape* TensorShapes::find(std::string_view name) const {
  const auto found = shapes_.find(name);
  return found == shapes_.end() ? nullptr : &found->second;
}

std::int64_t TensorShapes::size(std::string_view name, std::size_t axis) const {
  const auto* shape = find(name);
  return shape != nullptr && axis < shape->size() ? (*shape)[axis] : -1;
}

std::int64_t TensorShapes::numAxes(std::string_view name) const {
  const auto* shape = find(name);
  return shape == nullptr ? -1 : static_cast<std::int64_t>(shape->size());
}

std::int64_t TensorShapes::numLayers(std::string_view prefix) const {
  std::int64_t count = 0;
  for (auto it = shapes_.lower_bound(prefix); it != shapes_.end() && it->first.starts_with(prefix); ++it) {
    const auto* begin = it->first.data() + prefix.size();
    const auto* end = it->first.data() + it->first.size();
    std::int64_t number = 0;
    const auto [stop, status] = std::from_chars(begin, end, number);
    if (status != std::errc() || stop == end || *stop != '.' || number < 0 || number >= kMaxLayers) continue;
    count = std::max(count, number + 1);
  }
  return count;
}

bool TensorShapes::hasBelow(std::string_view prefix) const {
  const auto found = shapes_.lower_bound(prefix);
  return found != shapes_.end() && found->first.starts_with(prefix);
}

TensorShapes TensorShapes::below(std::string_view prefix) const {
  Map found;
  for (auto it = shapes_.lower_bound(prefix); it != shapes_.end() && it->first.starts_with(prefix); ++it)
    found.emplace(it->first.substr(prefix.size()), it->second);
  return TensorShapes(std::move(found));
}

std::int64_t TensorShapes::numValues() const {
  std::int64_t total = 0;
  for (const auto& [name, shape] : shapes_) {
    std::int64_t count = 1;  // a file's shapes were checked against its bytes, so products do not overflow
    for (const auto size : shape) count *= size;
    total += count;
  }
  return total;
}

std::optional<std::int64_t> squareSide(std::int64_t num_tokens) {
  if (num_tokens <= 0) return std::nullopt;
  const auto side = std::llround(std::sqrt(static_cast<double>(num_tokens)));
  if (side * side != num_tokens) return std::nullopt;
  return side;
}

}  // namespace meanflow::core
