// SPDX-License-Identifier: Apache-2.0
#include "core/data/augment.h"

#include <torch/torch.h>

#include <cmath>
#include <numbers>

namespace meanflow::core {
namespace {

constexpr int kCoordinateBits = 16;
constexpr int kWeightBits = 8;

std::int64_t toFixed(double value) { return std::llround(value * (1 << kCoordinateBits)); }

/// Adds the bilinear value at a fixed-point position, times 2^(2 kWeightBits), to `sum`.
void addBilinear(const base::Image8& image, std::int64_t x, std::int64_t y, std::int64_t (&sum)[3]) {
  const std::int64_t x0 = x >> kCoordinateBits, y0 = y >> kCoordinateBits;
  const auto fraction = [](std::int64_t v) {
    return (v >> (kCoordinateBits - kWeightBits)) & ((1 << kWeightBits) - 1);
  };
  const std::int64_t weight_x[2] = {(1 << kWeightBits) - fraction(x), fraction(x)};
  const std::int64_t weight_y[2] = {(1 << kWeightBits) - fraction(y), fraction(y)};
  for (int j = 0; j < 2; ++j) {
    for (int i = 0; i < 2; ++i) {
      const bool inside = x0 + i >= 0 && x0 + i < image.width && y0 + j >= 0 && y0 + j < image.height;
      const std::uint8_t* pixel = inside ? image.at(static_cast<int>(x0 + i), static_cast<int>(y0 + j)) : nullptr;
      for (int c = 0; c < 3; ++c) sum[c] += weight_x[i] * weight_y[j] * (inside ? pixel[c] : 255);
    }
  }
}

}  // namespace

Distortion drawDistortion(const base::DataConfig& config, bool may_flip, CounterRandom random) {
  const auto symmetric = [&random](double limit) { return random.uniform(-limit, limit); };
  Distortion distortion;
  distortion.rotation_degrees = symmetric(config.rotation_degrees);
  distortion.scale = 1 + symmetric(config.scale_jitter);
  distortion.shift_x = symmetric(config.shift_px);
  distortion.shift_y = symmetric(config.shift_px);
  distortion.flip = random.uniform() < 0.5 && may_flip;
  return distortion;
}

base::Image8 distortAndHalve(const base::Image8& image, const Distortion& distortion) {
  TORCH_CHECK(image.width == image.height && image.width % 2 == 0, "distortAndHalve: needs a square of even side, got ",
              image.width, "x", image.height);
  const int side = image.width;
  const double angle = distortion.rotation_degrees * std::numbers::pi / 180;
  const double mirror = distortion.flip ? -1 : 1;
  // From finished positions back to the source: undo the shift, the turn and the scale, then the flip, about the
  // centre.
  const double xx = mirror * std::cos(angle) / distortion.scale, xy = mirror * std::sin(angle) / distortion.scale;
  const double yx = -std::sin(angle) / distortion.scale, yy = std::cos(angle) / distortion.scale;
  const double centre = (side - 1) / 2.0;
  const double from_x = -centre - 2 * distortion.shift_x, from_y = -centre - 2 * distortion.shift_y;
  const std::int64_t fixed_xx = toFixed(xx), fixed_xy = toFixed(xy), fixed_yx = toFixed(yx), fixed_yy = toFixed(yy);
  const std::int64_t start_x = toFixed(centre + xx * from_x + xy * from_y);
  const std::int64_t start_y = toFixed(centre + yx * from_x + yy * from_y);

  base::Image8 out(side / 2, side / 2);
  constexpr int kShift = 2 * kWeightBits + 2;  // two weights and the mean of four
  for (int y = 0; y < out.height; ++y) {
    for (int x = 0; x < out.width; ++x) {
      std::int64_t sum[3] = {1 << (kShift - 1), 1 << (kShift - 1), 1 << (kShift - 1)};
      for (const int v : {2 * y, 2 * y + 1}) {
        for (const int u : {2 * x, 2 * x + 1}) {
          addBilinear(image, start_x + fixed_xx * u + fixed_xy * v, start_y + fixed_yx * u + fixed_yy * v, sum);
        }
      }
      for (int c = 0; c < 3; ++c) out.at(x, y)[c] = static_cast<std::uint8_t>(sum[c] >> kShift);
    }
  }
  return out;
}

}  // namespace meanflow::core
