// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/clip_rate.h"

#include <cmath>
#include <limits>

namespace meanflow::ui {

const base::MetricSeries* ClipRate::seriesOf(const std::string& stage) const {
  const auto* share = store_.series(stage, "clipped_share");
  return share ? share : store_.series(stage, "is_clipped");
}

bool ClipRate::update(const std::string& stage) {
  const auto* series = seriesOf(stage);
  if (!series || series->empty()) {
    stages_.erase(stage);
    return false;
  }
  auto& known = stages_[stage];
  if (known.generation != series->generation() || known.num_taken > series->size()) {
    known = {};
    known.generation = series->generation();
  }
  known.smoothed.update(*series);
  for (; known.num_taken < series->size(); ++known.num_taken) {
    const auto i = known.num_taken;
    const double steps = series->x(i) - (i > 0 ? series->x(i - 1) : 0);
    if (!std::isfinite(series->y(i))) continue;
    known.clipped_steps += steps * series->y(i);
    known.steps += steps;
  }
  return true;
}

double ClipRate::overall(const std::string& stage) const {
  const auto known = stages_.find(stage);
  if (known == stages_.end() || !(known->second.steps > 0)) return std::numeric_limits<double>::quiet_NaN();
  return known->second.clipped_steps / known->second.steps;
}

std::vector<base::SeriesBucket> ClipRate::points(const std::string& stage, double from, double to,
                                                 std::size_t max_points) const {
  const auto known = stages_.find(stage);
  if (known == stages_.end()) return {};
  return known->second.smoothed.series().view(from, to, max_points);
}

std::optional<double> ClipRate::at(const std::string& stage, double step) const {
  const auto known = stages_.find(stage);
  if (known == stages_.end() || known->second.smoothed.series().empty()) return std::nullopt;
  std::optional<double> found;
  // With one point on either side: the last one at or before the step, or the first after it.
  for (const auto& bucket : known->second.smoothed.series().view(step, step, 4)) {
    if (found && bucket.x_last > step) break;
    found = bucket.y_last;
  }
  return found;
}

}  // namespace meanflow::ui
