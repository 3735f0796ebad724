// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/step_scale.h"

#include <algorithm>

namespace meanflow::ui {
namespace {

/// Straight lines through the points (key(i), value(i)) with keys ascending; beyond the ends the last piece goes on.
template <class Key, class Value>
double along(std::size_t size, double at, const Key& key, const Value& value) {
  if (size == 0) return at;
  if (size == 1) return key(0) == 0 ? value(0) : value(0) * at / key(0);
  std::size_t first = 0, count = size;
  while (count > 0) {
    const auto half = count / 2;
    if (key(first + half) < at)
      first += half + 1, count -= half + 1;
    else
      count = half;
  }
  const std::size_t right = std::clamp<std::size_t>(first, 1, size - 1);
  const double span = key(right) - key(right - 1);
  if (span <= 0) return value(right);
  return value(right - 1) + (value(right) - value(right - 1)) * (at - key(right - 1)) / span;
}

}  // namespace

const base::MetricSeries* StepScale::measure(const std::string& stage) const {
  const auto* series = axis_ == CurveAxis::kWallTime      ? store_.series(stage, "unix_seconds")
                       : axis_ == CurveAxis::kDeviceHours ? store_.series(stage, "device_seconds")
                       : axis_ == CurveAxis::kStep        ? nullptr
                                                          : store_.series(stage, "images_seen");
  return series && !series->empty() ? series : nullptr;
}

double StepScale::origin(const base::MetricSeries& series) const {
  if (axis_ != CurveAxis::kWallTime) return 0;
  // The first report came at the end of its window: the stage began a step's time earlier for each of its steps.
  if (series.size() < 2) return series.y(0);
  const double pace = (series.y(1) - series.y(0)) / std::max(series.x(1) - series.x(0), 1.0);
  return series.y(0) - pace * series.x(0);
}

double StepScale::unit() const {
  if (axis_ == CurveAxis::kDeviceHours) return 3600;
  return axis_ == CurveAxis::kEpochs && images_an_epoch_ > 0 ? images_an_epoch_ : 1;
}

double StepScale::toX(const std::string& stage, double step) const {
  const auto* series = measure(stage);
  if (!series) return step;
  const double x = along(
      series->size(), step, [&](std::size_t i) { return series->x(i); }, [&](std::size_t i) { return series->y(i); });
  return (x - origin(*series)) / unit();
}

double StepScale::toStep(const std::string& stage, double x) const {
  const auto* series = measure(stage);
  if (!series) return x;
  const double value = x * unit() + origin(*series);
  return along(
      series->size(), value, [&](std::size_t i) { return series->y(i); }, [&](std::size_t i) { return series->x(i); });
}

double StepScale::length(const std::string& stage) const {
  const auto* series = store_.series(stage, "unix_seconds");
  return series && !series->empty() ? toX(stage, series->x(series->size() - 1)) : 0;
}

double StepScale::startSeconds(const std::string& stage, double run_start) const {
  const auto* series = store_.series(stage, "unix_seconds");
  return series && !series->empty() ? std::max(0.0, origin(*series) - run_start) : 0;
}

}  // namespace meanflow::ui
