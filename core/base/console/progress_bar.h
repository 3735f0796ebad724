// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdio>
#include <string>

#include "core/base/events/event_sink.h"

namespace meanflow::base {

struct ProgressBarOptions {
  bool is_terminal = false;  ///< A bar that redraws itself; otherwise whole lines.
  bool is_coloured = false;
  double seconds_per_line = 5;  ///< Between lines when not a terminal.
  double seconds_per_redraw = 0.1;
  int width = 100;  ///< Columns at most.
};
/// What fits this process's stderr.
ProgressBarOptions progressBarOptionsForStderr();

/// Shows a run on a console: per stage a bar with loss, steps per second and time left; results and failures as lines.
/// Time comes from the events, so a recorded run can be shown as well.
class ProgressBar final : public EventSink {
 public:
  explicit ProgressBar(ProgressBarOptions options = progressBarOptionsForStderr(), std::FILE* out = stderr)
      : options_(options), out_(out) {}
  ~ProgressBar() override;
  void publish(const EventRecord& record) override;

 private:
  void showStep(const StepCompleted& event, double now);
  void showProgress(const Progress& event, double now);
  void printLine(const std::string& text);

  ProgressBarOptions options_;
  std::FILE* out_;
  std::string stage_;
  std::int64_t total_steps_ = 0;
  double last_shown_ = -1e300;
  bool is_bar_open_ = false;  ///< The cursor stands at the end of a bar.
};

/// "42 s", "3 min 05 s", "2 h 10 min"; "?" when negative or not finite.
std::string formatDuration(double seconds);

}  // namespace meanflow::base
