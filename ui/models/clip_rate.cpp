// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/clip_rate.h"

#include <cmath>
#include <limits>

namespace meanflow::ui {

const base::MetricSeries* ClipRate::seriesOf(const std::string& stage) const {
  const auto* share = store_.series(stage, "clipped_share");
  return share ? share : store_.series(stage, "is_clipped");
}

bool ClipRate::isReported(const std::string& stage) const {
  const auto* series = seriesOf(stage);
  return series && !series->empty();
}

bool ClipRate::update(const std::string& stage, std::size_t max_points) {
  if (!isReported(stage)) {
    stages_.erase(stage);
    return true;
  }
  const auto& series = *seriesOf(stage);
  auto& known = stages_[stage];
  if (known.generation != series.generation() || known.smoothed.size() > series.size()) {
    known = {};
    known.generation = series.generation();
  }
  const auto end = known.smoothed.size() + known.smoothed.update(series, max_points);
  for (auto i = known.num_taken; i < end; ++i) {
    const double steps = series.x(i) - (i > 0 ? series.x(i - 1) : 0);
    if (series.numFinite(i) == 0) continue;
    known.clipped_steps += steps * series.mean(i);
    known.steps += steps;
  }
  known.num_taken = end;
  return end == series.size();
}

double ClipRate::overall(const std::string& stage) const {
  const auto known = stages_.find(stage);
  if (known == stages_.end() || !(known->second.steps > 0)) return std::numeric_limits<double>::quiet_NaN();
  return known->second.clipped_steps / known->second.steps;
}

std::vector<base::SeriesBucket> ClipRate::points(const std::string& stage, double from, double to,
                                                 std::size_t max_points) const {
  const auto known = stages_.find(stage);
  if (known == stages_.end() || !isReported(stage)) return {};
  auto buckets = seriesOf(stage)->view(from, to, max_points);
  for (auto& bucket : buckets) bucket.y_last = known->second.smoothed.at(bucket.x_last);
  return buckets;
}

}  // namespace meanflow::ui
