// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace meanflow::core {

/// Names and shapes of a set of weights: all that recognition looks at. Every question has an answer for any file,
/// however odd its names and shapes.
class TensorShapes {
 public:
  using Shape = std::vector<std::int64_t>;
  using Map = std::map<std::string, Shape, std::less<>>;

  TensorShapes() = default;
  explicit TensorShapes(Map shapes) : shapes_(std::move(shapes)) {}

  const Map& all() const { return shapes_; }
  bool has(std::string_view name) const { return shapes_.contains(name); }
  /// Null where there is no such tensor.
  const Shape* find(std::string_view name) const;
  /// Size of one axis; -1 where there is no such tensor or axis.
  std::int64_t size(std::string_view name, std::size_t axis) const;
  std::int64_t numAxes(std::string_view name) const;
  /// One more than the largest i for which there is a tensor PREFIX + i + "...", 0 without one. A file that leaves a
  /// layer out still tells how many there should be. Numbers beyond 1023 are not counted.
  std::int64_t numLayers(std::string_view prefix) const;
  bool hasBelow(std::string_view prefix) const;

  /// The tensors below `prefix`, without it.
  TensorShapes below(std::string_view prefix) const;
  std::int64_t numValues() const;

 private:
  Map shapes_;
};

/// s for s * s tokens, nothing for a count that is no square.
std::optional<std::int64_t> squareSide(std::int64_t num_tokens);

}  // namespace meanflow::core
