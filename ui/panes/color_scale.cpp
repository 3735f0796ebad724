// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panes/color_scale.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace meanflow::ui {
namespace {

double toSrgb(double linear) {
  return linear <= 0.0031308 ? 12.92 * linear : 1.055 * std::pow(linear, 1 / 2.4) - 0.055;
}

struct LinearRgb {
  double red, green, blue;
  bool isInGamut() const { return std::min({red, green, blue}) >= 0 && std::max({red, green, blue}) <= 1; }
};

/// OKLab to linear sRGB; matrices of Bjorn Ottosson, "A perceptual color space for image processing" (2020).
LinearRgb fromOklab(double lightness, double a, double b) {
  const double l = std::pow(lightness + 0.3963377774 * a + 0.2158037573 * b, 3);
  const double m = std::pow(lightness - 0.1055613458 * a - 0.0638541728 * b, 3);
  const double s = std::pow(lightness - 0.0894841775 * a - 1.2914855480 * b, 3);
  return {4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
          -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
          -0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s};
}

}  // namespace

ColorScale::ColorScale() {
  for (std::size_t i = 0; i < table_.size(); ++i) {
    const double x = static_cast<double>(i) / (table_.size() - 1);
    const double lightness = 0.25 + 0.70 * x;
    const double hue = (300 - 195 * x) * std::numbers::pi / 180;  // violet, blue, teal, green, yellow
    double chroma = 0.15;
    LinearRgb rgb{};
    do {  // the largest chroma that a screen can show at this lightness and hue
      rgb = fromOklab(lightness, chroma * std::cos(hue), chroma * std::sin(hue));
      chroma -= 0.002;
    } while (!rgb.isInGamut() && chroma > 0);
    table_[i] = QColor::fromRgbF(static_cast<float>(toSrgb(std::clamp(rgb.red, 0.0, 1.0))),
                                 static_cast<float>(toSrgb(std::clamp(rgb.green, 0.0, 1.0))),
                                 static_cast<float>(toSrgb(std::clamp(rgb.blue, 0.0, 1.0))));
  }
}

QColor ColorScale::at(double position) const {
  const double last = static_cast<double>(table_.size() - 1);
  return table_[static_cast<std::size_t>(std::lround(std::clamp(position, 0.0, 1.0) * last))];
}

double ColorScale::logPosition(double value, double low, double high) {
  if (!(low > 0) || !(high > low)) return value > high ? 1 : 0.5;
  return std::clamp(std::log(value / low) / std::log(high / low), 0.0, 1.0);
}

}  // namespace meanflow::ui
