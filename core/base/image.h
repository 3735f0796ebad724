// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <vector>

namespace meanflow::base {

/// 8-bit RGB image, rows top to bottom, no padding: `pixels` holds height * width * 3 bytes.
struct Image8 {
  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> pixels;

  Image8() = default;
  Image8(int width_px, int height_px, std::uint8_t fill = 0)
      : width(width_px), height(height_px), pixels(static_cast<std::size_t>(width_px) * height_px * 3, fill) {}
  bool empty() const { return pixels.empty(); }
  std::uint8_t* at(int x, int y) { return pixels.data() + 3 * (static_cast<std::size_t>(y) * width + x); }
  const std::uint8_t* at(int x, int y) const { return pixels.data() + 3 * (static_cast<std::size_t>(y) * width + x); }
  bool operator==(const Image8&) const = default;
};

}  // namespace meanflow::base
