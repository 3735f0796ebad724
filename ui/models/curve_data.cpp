// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/curve_data.h"

#include <algorithm>
#include <cmath>

namespace meanflow::ui {
namespace {

/// Index of the first point with x >= `x`.
std::size_t lowerBound(const base::MetricSeries& series, double x) {
  std::size_t first = 0, count = series.size();
  while (count > 0) {
    const auto half = count / 2;
    if (series.x(first + half) < x) {
      first += half + 1;
      count -= half + 1;
    } else {
      count = half;
    }
  }
  return first;
}

}  // namespace

void CurveData::setSmoothing(double weight) {
  if (weight == weight_) return;
  weight_ = weight;
  smoothed_.clear();
}

const base::MetricSeries& CurveData::smoothed(const std::string& stage, const std::string& name,
                                              const base::MetricSeries& raw) {
  auto& series = smoothed_.try_emplace({stage, name}, weight_).first->second;
  series.update(raw);
  return series.series();
}

std::vector<CurvePoint> CurveData::points(const std::string& stage, const std::string& name, double from, double to,
                                          std::size_t max_points) {
  std::vector<CurvePoint> points;
  const auto* raw = store_.series(stage, name);
  if (!raw || raw->empty()) return points;
  const auto buckets = raw->view(from, to, max_points);
  points.reserve(buckets.size());
  const auto* smooth = isSmoothed(name) ? &smoothed(stage, name, *raw) : nullptr;
  for (const auto& bucket : buckets) {
    double value = bucket.y_last;
    if (smooth && !smooth->empty()) value = smooth->y(std::min(lowerBound(*smooth, bucket.x_last), smooth->size() - 1));
    points.push_back({bucket.x_last, value, bucket.y_min, bucket.y_max});
  }
  return points;
}

std::optional<CurvePoint> CurveData::nearest(const std::string& stage, const std::string& name, double step) {
  const auto* raw = store_.series(stage, name);
  if (!raw || raw->empty()) return std::nullopt;
  auto index = std::min(lowerBound(*raw, step), raw->size() - 1);
  if (index > 0 && std::abs(raw->x(index - 1) - step) < std::abs(raw->x(index) - step)) --index;
  CurvePoint point{raw->x(index), raw->y(index), raw->y(index), raw->y(index)};
  if (isSmoothed(name)) {
    const auto& smooth = smoothed(stage, name, *raw);
    if (!smooth.empty()) point.value = smooth.y(std::min(lowerBound(smooth, point.step), smooth.size() - 1));
  }
  return point;
}

void CurveData::eachRaw(const std::string& stage, const std::string& name, double from, double to,
                        const std::function<void(std::int64_t, double)>& each) const {
  const auto* raw = store_.series(stage, name);
  if (!raw) return;
  for (auto i = lowerBound(*raw, from); i < raw->size() && raw->x(i) <= to; ++i) {
    each(static_cast<std::int64_t>(std::llround(raw->x(i))), raw->y(i));
  }
}

double CurveData::lastStep(const std::string& stage) const {
  // Every reported step has a time beside its scalars.
  const auto* series = store_.series(stage, "unix_seconds");
  return series && !series->empty() ? series->x(series->size() - 1) : 0;
}

double CurveData::firstStep(const std::string& stage) const {
  const auto* series = store_.series(stage, "unix_seconds");
  return series && !series->empty() ? series->x(0) : 0;
}

}  // namespace meanflow::ui
