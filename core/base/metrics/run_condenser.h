// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/metrics/metrics_store.h"
#include "core/base/metrics/run_pyramid.h"

namespace meanflow::base {

/// Folds a long log, and tells apart the few events that have to be replayed one by one from the many steps whose
/// series can be handed over condensed. Before every event that is not a step comes the step before it, so that a
/// replay of the kept events knows where the run was at each. Not thread-safe.
class RunCondenser {
 public:
  void apply(std::vector<EventRecord> records);

  std::int64_t nextSequence() const { return next_sequence_; }
  /// Events to replay that are new since the last call, then the newest step. With the series below they make up what
  /// a replay of all events would show.
  std::vector<EventRecord> takeKept();
  /// Every series in at most `max_segments` segments of equal numbers of points, a power of 16.
  MetricsStore::SeriesMap condensedSeries(std::size_t max_segments) const;
  /// All points; leaves none behind.
  MetricsStore::SeriesMap takeSeries() { return store_.takeSeries(); }
  /// Error when too many events are not steps to be worth it. `covered_bytes`: of the log, what was applied.
  Result<RunPyramid> pyramid(std::int64_t covered_bytes) const;

 private:
  void keep(EventRecord record);

  MetricsStore store_;
  std::vector<EventRecord> new_;          ///< Kept since takeKept.
  std::vector<std::string> lines_;        ///< All kept ones, as JSON.
  std::optional<EventRecord> last_step_;  ///< Not kept so far.
  std::int64_t next_sequence_ = 0;
  bool is_too_much_ = false;
};

}  // namespace meanflow::base
