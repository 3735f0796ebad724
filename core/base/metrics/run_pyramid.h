// SPDX-License-Identifier: Apache-2.0
//
// events.pyramid beside events.jsonl: what a window needs to show a long run at once. It is made by whoever has read
// the whole log, and may be missing, stale or broken: the log alone counts.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/base/metrics/metrics_store.h"
#include "core/base/result.h"

namespace meanflow::base {

struct RunPyramid {
  static constexpr std::size_t kMaxSegments = 65'536;  ///< Of a series.
  static constexpr std::size_t kMaxKept = 200'000;     ///< Events other than steps, and the steps before them.

  std::int64_t covered_bytes = 0;  ///< Of the log: whole lines.
  std::int64_t next_sequence = 0;  ///< Of the first event that is not covered.
  std::vector<std::string> kept;   ///< JSON of the events to replay (RunCondenser).
  MetricsStore::SeriesMap series;  ///< Condensed: minimum, maximum, mean and last value of each segment.
};

std::filesystem::path runPyramidPath(const std::filesystem::path& log);

/// Reads the pyramid of `log`. Error when there is none, when it is damaged, or when the log is not the one it was made
/// of: shorter than what is covered, or different in the fingerprint. The fingerprint is of the first and last 64 KiB
/// of the covered part and of 64 blocks of 4 KiB spread over it, so that a log of gigabytes is not read for it. An edit
/// between the blocks that keeps the length is seen by nobody until the log itself has been read.
Result<RunPyramid> loadRunPyramid(const std::filesystem::path& log);

/// Writes it atomically, error when the folder may not be written or the log is shorter than what is covered.
Result<void> saveRunPyramid(const std::filesystem::path& log, const RunPyramid& pyramid);

}  // namespace meanflow::base
