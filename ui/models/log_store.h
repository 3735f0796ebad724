// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <cstdint>
#include <deque>
#include <functional>
#include <set>
#include <string>

#include "core/base/events/training_event.h"
#include "ui/models/run_summary.h"

namespace meanflow::ui {

enum class LogLevel { kError, kWarning, kInfo, kDebug };

struct LogLine {
  std::int64_t number = 0;  ///< 0, 1, 2, ... over the life of the store; stays with the line when older ones go.
  double unix_seconds = 0;
  LogLevel level = LogLevel::kInfo;
  std::string text;
  StepCursor at;  ///< Where the run was when it was said; empty stage before the first.
};

/// What a run said in words, and its milestones put into words. Holds the newest kMaxLines; the run folder has them
/// all.
class LogStore {
 public:
  static constexpr std::size_t kMaxLines = 50'000;

  /// Returns whether the event gave a line.
  bool apply(const base::EventRecord& record);
  const std::deque<LogLine>& lines() const { return lines_; }
  std::int64_t numForgotten() const { return lines_.empty() ? 0 : lines_.front().number; }

 private:
  std::deque<LogLine> lines_;
  std::int64_t next_number_ = 0;
  StepCursor at_;
  std::set<std::string, std::less<>> untrained_;  ///< Stages that train nothing, such as the report.
};

}  // namespace meanflow::ui
