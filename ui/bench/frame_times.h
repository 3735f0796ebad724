// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QJsonObject>
#include <cstdint>
#include <vector>

namespace meanflow::ui {

class Theme;

/// How long frames took, in milliseconds.
struct FrameTimes {
  std::vector<double> ms;
  double quantile(double q) const;  ///< 0.5: the median. 0 without frames.
};

/// Draws the curves panel over `num_points` points of one scalar, zoomed to a fifth of them, and pans it by one frame's
/// worth at a time. Keys: bench, points, frames, fill_seconds, first_ms, p50_ms, p99_ms, max_ms, and the CPU
/// time of the thread as cpu_p50_ms and cpu_p99_ms.
QJsonObject benchCurves(const Theme& theme, std::int64_t num_points);

}  // namespace meanflow::ui
