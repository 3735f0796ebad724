// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/base/metrics/metrics_store.h"
#include "core/base/metrics/spike_detector.h"

namespace meanflow::ui {

/// The spikes of loss and gradient norm in every stage of a run, kept up to date as it grows.
class CurveSpikes {
 public:
  struct Found {
    std::string stage, scalar;
    std::int64_t step = 0;
    double value = 0, z = 0;
    bool operator==(const Found&) const = default;
  };

  explicit CurveSpikes(const base::MetricsStore& store) : store_(store) {}

  static bool isWatched(const std::string& scalar) { return scalar == "loss" || scalar == "grad_norm"; }
  /// Looks at up to `max_points` new points and returns whether there are more: a long record is gone through in parts.
  bool update(std::size_t max_points);
  bool isDone() const;  ///< Nothing new to look at.
  /// In the order of the stages, by step.
  const std::vector<Found>& found() const { return found_; }

 private:
  const base::MetricsStore& store_;
  std::map<base::MetricsStore::Key, base::SpikeDetector> detectors_;
  std::vector<Found> found_;
};

}  // namespace meanflow::ui
