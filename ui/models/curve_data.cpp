// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/curve_data.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace meanflow::ui {
void CurveData::setSmoothing(double weight) {
  if (weight == weight_) return;
  weight_ = weight;
  for (auto& [key, companion] : smoothed_) companion.coming.reset();
  if (weight_ == 0) smoothed_.clear();
}

const base::SmoothedSeries* CurveData::smoothed(const std::string& stage, const std::string& name,
                                                const base::MetricSeries& raw) {
  auto& [shown, coming] =
      smoothed_.try_emplace({stage, name}, Companion{base::SmoothedSeries(weight_), {}}).first->second;
  if (shown.weight() == weight_ && shown.numLeft(raw) <= kPointsAtOnce) {
    shown.update(raw);
    coming.reset();
  } else {
    if (!coming) coming.emplace(weight_);
    if (coming->numLeft(raw) <= kPointsAtOnce) {
      coming->update(raw);
      shown = *std::exchange(coming, std::nullopt);
    }
  }
  return shown.empty() ? nullptr : &shown;
}

bool CurveData::isComplete() const {
  return std::none_of(smoothed_.begin(), smoothed_.end(),
                      [](const auto& each) { return each.second.coming.has_value(); });
}

bool CurveData::smoothPart(std::size_t max_points) {
  bool has_news = false;
  for (auto& [key, companion] : smoothed_) {
    auto& [shown, coming] = companion;
    if (!coming) continue;
    const auto* raw = store_.series(key.first, key.second);
    if (raw) {
      max_points -= coming->update(*raw, max_points);
      if (coming->numLeft(*raw) > 0) break;  // the next part
      shown = std::move(*coming);
      has_news = true;
    }
    coming.reset();
  }
  return has_news;
}

std::vector<CurvePoint> CurveData::points(const std::string& stage, const std::string& name, double from, double to,
                                          std::size_t max_points) {
  std::vector<CurvePoint> points;
  const auto* raw = store_.series(stage, name);
  if (!raw || raw->empty()) return points;
  const auto buckets = raw->view(from, to, max_points);
  points.reserve(buckets.size());
  const auto* smooth = isSmoothed(name) ? smoothed(stage, name, *raw) : nullptr;
  for (const auto& bucket : buckets)
    points.push_back({bucket.x_last, smooth ? smooth->at(bucket.x_last) : bucket.y_last, bucket.y_min, bucket.y_max});
  return points;
}

std::optional<CurvePoint> CurveData::nearest(const std::string& stage, const std::string& name, double step) {
  const auto* raw = store_.series(stage, name);
  if (!raw || raw->empty()) return std::nullopt;
  auto index = std::min(raw->firstFrom(step), raw->size() - 1);
  if (index > 0 && std::abs(raw->x(index - 1) - step) < std::abs(raw->x(index) - step)) --index;
  CurvePoint point{raw->x(index), raw->y(index), raw->low(index), raw->high(index)};
  if (isSmoothed(name)) {
    if (const auto* smooth = smoothed(stage, name, *raw)) point.value = smooth->at(point.step);
  }
  return point;
}

void CurveData::eachRaw(const std::string& stage, const std::string& name, double from, double to,
                        const std::function<void(std::int64_t, double)>& each) const {
  const auto* raw = store_.series(stage, name);
  if (!raw) return;
  for (auto i = raw->firstFrom(from); i < raw->size() && raw->x(i) <= to; ++i) {
    each(static_cast<std::int64_t>(std::llround(raw->x(i))), raw->y(i));
  }
}

bool CurveData::hasSinglePoints(const std::string& stage, const std::string& name, double from, double to) const {
  const auto* raw = store_.series(stage, name);
  if (!raw || raw->numSegments() == 0) return true;
  return from > raw->x(raw->numSegments() - 1) || to < raw->x(0);
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
