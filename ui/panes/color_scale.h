// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QColor>
#include <array>

namespace meanflow::ui {

/// A colour scale whose lightness rises evenly (in OKLab) from dark violet over teal to pale yellow, so that equal
/// steps look equal, also in grey and to people who see colours differently.
class ColorScale {
 public:
  ColorScale();
  /// `position` in [0, 1], clamped.
  QColor at(double position) const;
  /// Position of `value` on a logarithmic scale from `low` to `high` (both positive).
  static double logPosition(double value, double low, double high);

 private:
  std::array<QColor, 256> table_;
};

}  // namespace meanflow::ui
