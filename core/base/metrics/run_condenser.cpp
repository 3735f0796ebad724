// SPDX-License-Identifier: Apache-2.0
#include "core/base/metrics/run_condenser.h"

#include <utility>

#include "core/base/events/event_json.h"

namespace meanflow::base {
namespace {

constexpr std::size_t kSegmentFactor = 16;

}  // namespace

void RunCondenser::keep(EventRecord record) {
  if (lines_.size() >= RunPyramid::kMaxKept) {
    is_too_much_ = true;
    lines_.clear();
  }
  if (!is_too_much_) lines_.push_back(toJsonLine(record));
  new_.push_back(std::move(record));
}

void RunCondenser::apply(std::vector<EventRecord> records) {
  for (auto& record : records) {
    next_sequence_ = record.sequence + 1;
    store_.apply(record);
    if (std::holds_alternative<StepCompleted>(record.event)) {
      last_step_ = std::move(record);
      continue;
    }
    if (last_step_) keep(std::move(*std::exchange(last_step_, std::nullopt)));
    keep(std::move(record));
  }
}

std::vector<EventRecord> RunCondenser::takeKept() {
  auto kept = std::exchange(new_, {});
  if (last_step_) kept.push_back(*last_step_);
  return kept;
}

MetricsStore::SeriesMap RunCondenser::condensedSeries(std::size_t max_segments) const {
  MetricsStore::SeriesMap condensed;
  for (const auto& [key, series] : store_.allSeries()) {
    std::size_t num_points = 1;
    while ((series.size() + num_points - 1) / num_points > max_segments) num_points *= kSegmentFactor;
    auto& made = condensed[key];
    for (const auto& segment : series.segments(num_points)) made.appendSegment(segment);
  }
  return condensed;
}

Result<RunPyramid> RunCondenser::pyramid(std::int64_t covered_bytes) const {
  if (is_too_much_) return Error{"too many events other than steps for a pyramid"};
  RunPyramid pyramid;
  pyramid.covered_bytes = covered_bytes;
  pyramid.next_sequence = next_sequence_;
  pyramid.kept = lines_;
  if (last_step_) pyramid.kept.push_back(toJsonLine(*last_step_));
  pyramid.series = condensedSeries(RunPyramid::kMaxSegments);
  return pyramid;
}

}  // namespace meanflow::base
