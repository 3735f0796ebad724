// SPDX-License-Identifier: Apache-2.0
#include "core/data/resample.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <numbers>
#include <vector>

namespace meanflow::core {
namespace {

using base::Image8;

constexpr int kWeightBits = 22;  // Pillow's PRECISION_BITS for 8-bit images

double filterRadius(ResampleFilter filter) {
  switch (filter) {
    case ResampleFilter::kBox:
      return 0.5;
    case ResampleFilter::kBilinear:
      return 1.0;
    case ResampleFilter::kBicubic:
      return 2.0;
    case ResampleFilter::kLanczos:
      return 3.0;
  }
  return 0;
}

double sinc(double x) {
  if (x == 0.0) return 1.0;
  x *= std::numbers::pi;
  return std::sin(x) / x;
}

double filterValue(ResampleFilter filter, double x) {
  if (filter == ResampleFilter::kBox) return x > -0.5 && x <= 0.5 ? 1.0 : 0.0;
  if (filter == ResampleFilter::kLanczos) return x >= -3.0 && x < 3.0 ? sinc(x) * sinc(x / 3.0) : 0.0;
  x = std::abs(x);
  if (filter == ResampleFilter::kBilinear) return x < 1.0 ? 1.0 - x : 0.0;
  constexpr double a = -0.5;
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
  if (x < 2.0) return (((x - 5.0) * x + 8.0) * x - 4.0) * a;
  return 0.0;
}

struct Taps {
  int first = 0;
  std::vector<std::int32_t> weights;  // sum close to 2^kWeightBits
};

std::vector<Taps> makeTaps(int in_size, int out_size, ResampleFilter filter) {
  const double scale = static_cast<double>(in_size) / out_size;
  const double stretch = std::max(scale, 1.0);
  const double support = filterRadius(filter) * stretch;
  std::vector<Taps> all(static_cast<std::size_t>(out_size));
  std::vector<double> values;
  for (int i = 0; i < out_size; ++i) {
    const double centre = (i + 0.5) * scale;
    const int first = std::max(0, static_cast<int>(centre - support + 0.5));
    const int last = std::min(in_size, static_cast<int>(centre + support + 0.5));
    double sum = 0.0;
    values.clear();
    for (int j = first; j < last; ++j) {
      values.push_back(filterValue(filter, (j - centre + 0.5) * (1.0 / stretch)));
      sum += values.back();
    }
    auto& taps = all[static_cast<std::size_t>(i)];
    taps.first = first;
    for (double value : values) {
      if (sum != 0.0) value *= 1.0 / sum;
      taps.weights.push_back(static_cast<std::int32_t>(std::lround(value * (1 << kWeightBits))));
    }
  }
  return all;
}

std::uint8_t toByte(std::int64_t fixed) {
  return static_cast<std::uint8_t>(std::clamp<std::int64_t>(fixed >> kWeightBits, 0, 255));
}

Image8 resampleRows(const Image8& image, int width, ResampleFilter filter) {
  const auto taps = makeTaps(image.width, width, filter);
  Image8 out(width, image.height);
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < width; ++x) {
      const auto& tap = taps[static_cast<std::size_t>(x)];
      const std::uint8_t* in = image.at(tap.first, y);
      std::int64_t sum[3] = {1 << (kWeightBits - 1), 1 << (kWeightBits - 1), 1 << (kWeightBits - 1)};
      for (const std::int64_t weight : tap.weights) {
        for (int c = 0; c < 3; ++c) sum[c] += weight * in[c];
        in += 3;
      }
      for (int c = 0; c < 3; ++c) out.at(x, y)[c] = toByte(sum[c]);
    }
  }
  return out;
}

Image8 resampleColumns(const Image8& image, int height, ResampleFilter filter) {
  const auto taps = makeTaps(image.height, height, filter);
  Image8 out(image.width, height);
  const std::size_t row = static_cast<std::size_t>(image.width) * 3;
  std::vector<std::int64_t> sum(row);
  for (int y = 0; y < height; ++y) {
    const auto& tap = taps[static_cast<std::size_t>(y)];
    std::fill(sum.begin(), sum.end(), std::int64_t{1} << (kWeightBits - 1));
    for (std::size_t k = 0; k < tap.weights.size(); ++k) {
      const std::uint8_t* in = image.at(0, tap.first + static_cast<int>(k));
      const std::int64_t weight = tap.weights[k];
      for (std::size_t i = 0; i < row; ++i) sum[i] += weight * in[i];
    }
    std::transform(sum.begin(), sum.end(), out.at(0, y), toByte);
  }
  return out;
}

/// Python's round(): halves go to the even neighbour, which nearbyint does in the default rounding mode.
int roundHalfEven(double value) { return static_cast<int>(std::nearbyint(value)); }

}  // namespace

Image8 resample(const Image8& image, int width, int height, ResampleFilter filter) {
  TORCH_CHECK(image.width > 0 && image.height > 0 && width > 0 && height > 0, "resample: sizes must be positive, got ",
              image.width, "x", image.height, " -> ", width, "x", height);
  Image8 out = width == image.width ? image : resampleRows(image, width, filter);
  return height == out.height ? out : resampleColumns(out, height, filter);
}

Image8 crop(const Image8& image, int left, int top, int width, int height) {
  TORCH_CHECK(
      left >= 0 && top >= 0 && width > 0 && height > 0 && left + width <= image.width && top + height <= image.height,
      "crop: ", width, "x", height, " at (", left, ", ", top, ") does not lie in a ", image.width, "x", image.height,
      " image");
  Image8 out(width, height);
  for (int y = 0; y < height; ++y) {
    std::memcpy(out.at(0, y), image.at(left, top + y), static_cast<std::size_t>(width) * 3);
  }
  return out;
}

Image8 centerCrop(const Image8& image, int size) {
  Image8 current = image;
  while (std::min(current.width, current.height) >= 2 * size) {
    current = resample(current, current.width / 2, current.height / 2, ResampleFilter::kBox);
  }
  const double scale = static_cast<double>(size) / std::min(current.width, current.height);
  current = resample(current, roundHalfEven(current.width * scale), roundHalfEven(current.height * scale),
                     ResampleFilter::kBicubic);
  return crop(current, (current.width - size) / 2, (current.height - size) / 2, size, size);
}

Image8 resizeShorterSide(const Image8& image, int size) {
  const auto longer = [size](int long_side, int short_side) {
    return static_cast<int>(static_cast<std::int64_t>(size) * long_side / short_side);
  };
  return image.width <= image.height
             ? resample(image, size, longer(image.height, image.width), ResampleFilter::kBicubic)
             : resample(image, longer(image.width, image.height), size, ResampleFilter::kBicubic);
}

}  // namespace meanflow::core
