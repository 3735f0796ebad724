// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>

#include "core/base/events/event_log.h"
#include "core/base/metrics/metrics_store.h"
#include "core/base/result.h"
#include "ui/models/run_source.h"

namespace meanflow::ui {

/// Follows the events.jsonl of a run folder that any process, on any machine, may be writing. A thread of its own
/// reads; the window never waits for a disk. A long record is folded by that thread: the window gets its few events
/// that are not steps and condensed series, from events.pyramid if there is one, and the points once all have been
/// read. When the folder goes away what was read stays on show, `trouble` says so, and reading goes on should the
/// folder come back.
class RecordedRunSource final : public RunSource {
  Q_OBJECT
 public:
  static constexpr std::int64_t kLongLogBytes = 8 << 20;  ///< From here on a log is folded by the reader.

  /// One sentence why `folder` cannot be shown as a run, or success.
  static base::Result<void> check(const QString& folder);

  explicit RecordedRunSource(const QString& folder, QObject* parent = nullptr);
  ~RecordedRunSource() override;

  bool isWorkedOn() const override;

 private:
  static constexpr std::size_t kMaxWaiting = 100'000;  ///< The reader waits when the window has this much to take in.
  static constexpr std::size_t kMaxSegments = 16'384;  ///< Of a condensed series on the way.
  static constexpr int kPollMs = 200;
  static constexpr double kFreshSeconds = 60;
  static constexpr int kMaxFoldMs = 12;  ///< Of a frame.

  bool drain() override;
  void read(const std::stop_token& stop);
  /// Reads what a long log holds by now; `reader` then stands behind it. False: stopped, or there was trouble.
  bool readLongLog(const std::stop_token& stop, base::EventLogReader& reader, std::int64_t& next_sequence);
  /// Hands over events, those before `next_sequence` not again. False when the window is gone.
  bool hand(const std::stop_token& stop, std::vector<base::EventRecord> events, std::int64_t& next_sequence);
  /// Hands over series that belong behind all events handed over so far.
  bool handSeries(const std::stop_token& stop, base::MetricsStore::SeriesMap series);
  void wakeWindow();
  bool waitFor(const std::stop_token& stop, int milliseconds);

  std::mutex mutex_;
  std::condition_variable_any condition_;
  std::deque<base::EventRecord> waiting_;
  std::optional<base::MetricsStore::SeriesMap> waiting_series_;
  std::size_t events_before_series_ = 0;  ///< How many of waiting_ come before waiting_series_.
  QString reader_trouble_;
  bool is_caught_up_ = false;
  bool is_wake_posted_ = false;
  bool is_owned_ = false;       ///< A process holds the run's lock, as the reader saw it last.
  bool is_owned_here_ = false;  ///< The same as the window knows it.
  std::jthread reader_;         ///< Last: it uses all of the above.
};

}  // namespace meanflow::ui
