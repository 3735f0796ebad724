// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/curve_spikes.h"

#include <algorithm>
#include <cmath>

namespace meanflow::ui {

bool CurveSpikes::isDone() const {
  for (const auto& stage : store_.stages()) {
    for (const char* scalar : {"loss", "grad_norm"}) {
      const auto* series = store_.series(stage.name, scalar);
      if (!series || series->isCondensed()) continue;  // its points are still being read
      const auto detector = detectors_.find({stage.name, scalar});
      if (detector == detectors_.end() ? !series->empty() : !detector->second.isDone(*series)) return false;
    }
  }
  return true;
}

bool CurveSpikes::update(std::size_t max_points) {
  bool has_more = false, has_news = false;
  for (const auto& stage : store_.stages()) {
    for (const char* scalar : {"loss", "grad_norm"}) {
      const auto* series = store_.series(stage.name, scalar);
      if (!series || series->isCondensed()) continue;
      auto& detector = detectors_[{stage.name, scalar}];
      if (detector.isDone(*series)) continue;
      has_news = true;  // also when points were dropped and none are left
      max_points -= std::min(max_points, detector.update(*series, max_points));
      has_more = has_more || !detector.isDone(*series);
    }
  }
  if (!has_news) return false;
  found_.clear();
  for (const auto& stage : store_.stages()) {
    const auto begin = static_cast<std::ptrdiff_t>(found_.size());
    for (const char* scalar : {"loss", "grad_norm"}) {
      const auto detector = detectors_.find({stage.name, scalar});
      if (detector == detectors_.end()) continue;
      for (const auto& spike : detector->second.spikes())
        found_.push_back({stage.name, scalar, std::llround(spike.x), spike.value, spike.z});
    }
    std::stable_sort(found_.begin() + begin, found_.end(),
                     [](const Found& a, const Found& b) { return a.step < b.step; });
  }
  return has_more;
}

}  // namespace meanflow::ui
