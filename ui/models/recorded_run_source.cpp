// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/recorded_run_source.h"

#include <spdlog/spdlog.h>
#include <QDateTime>
#include <QFileInfo>

#include <algorithm>
#include <optional>
#include <vector>

#include "core/base/events/event_json.h"
#include "core/base/metrics/run_condenser.h"
#include "core/base/metrics/run_pyramid.h"
#include "core/base/run/run_folder.h"
#include "core/base/run/run_state.h"

namespace meanflow::ui {
namespace {

std::filesystem::path logPath(const QString& folder) {
  return std::filesystem::path(folder.toStdString()) / "events.jsonl";
}

constexpr auto kFirstLook = std::chrono::milliseconds(300);  // at what has been read of a long log

std::int64_t fileSize(const std::filesystem::path& path) {
  std::error_code code;
  const auto size = std::filesystem::file_size(path, code);
  return code ? 0 : static_cast<std::int64_t>(size);
}

std::filesystem::path configPath(const QString& folder) {
  return std::filesystem::path(folder.toStdString()) / "config.yaml";
}

}  // namespace

base::Result<void> RecordedRunSource::check(const QString& folder) {
  const QFileInfo info(folder);
  const auto fail = [](const QString& text) { return base::Error{text.toStdString()}; };
  if (!info.exists()) return fail(tr("There is no folder %1.").arg(folder));
  if (!info.isDir()) return fail(tr("%1 is a file; choose the run folder that holds events.jsonl.").arg(folder));
  if (!info.isReadable() || !info.isExecutable())
    return fail(tr("The folder %1 may not be read; check its permissions.").arg(folder));
  const QFileInfo log(QString::fromStdString(logPath(folder).string()));
  if (!log.exists() && !QFileInfo::exists(QString::fromStdString(configPath(folder).string()))) {
    return fail(tr("%1 is not a run folder: it has neither config.yaml nor events.jsonl.").arg(folder));
  }
  if (log.exists() && !log.isReadable())
    return fail(tr("%1 may not be read; check its permissions.").arg(log.filePath()));
  return {};
}

RecordedRunSource::RecordedRunSource(const QString& folder, QObject* parent)
    : RunSource(QFileInfo(folder).absoluteFilePath(), parent) {
  setLoading(true);
  reader_ = std::jthread([this](const std::stop_token& stop) { read(stop); });
}

RecordedRunSource::~RecordedRunSource() {
  reader_.request_stop();
  reader_.join();
}

bool RecordedRunSource::waitFor(const std::stop_token& stop, int milliseconds) {
  std::unique_lock lock(mutex_);
  condition_.wait_for(lock, stop, std::chrono::milliseconds(milliseconds), [] { return false; });
  return !stop.stop_requested();
}

void RecordedRunSource::wakeWindow() {
  // Called with mutex_ held. The queued call is dropped by Qt if the source is gone by then.
  if (std::exchange(is_wake_posted_, true)) return;
  QMetaObject::invokeMethod(
      this, [this] { scheduleFrame(); }, Qt::QueuedConnection);
}

bool RecordedRunSource::hand(const std::stop_token& stop, std::vector<base::EventRecord> events,
                             std::int64_t& next_sequence) {
  std::erase_if(events, [&](const base::EventRecord& event) { return event.sequence < next_sequence; });
  if (events.empty()) return !stop.stop_requested();
  next_sequence = events.back().sequence + 1;
  std::unique_lock lock(mutex_);
  condition_.wait(lock, stop, [this] { return waiting_.size() < kMaxWaiting; });
  if (stop.stop_requested()) return false;
  std::move(events.begin(), events.end(), std::back_inserter(waiting_));
  reader_trouble_.clear();
  wakeWindow();
  return true;
}

bool RecordedRunSource::handSeries(const std::stop_token& stop, base::MetricsStore::SeriesMap series) {
  std::unique_lock lock(mutex_);
  condition_.wait(lock, stop, [this] { return !waiting_series_; });
  if (stop.stop_requested()) return false;
  waiting_series_ = std::move(series);
  events_before_series_ = waiting_.size();
  wakeWindow();
  return true;
}

bool RecordedRunSource::readLongLog(const std::stop_token& stop, base::EventLogReader& reader,
                                    std::int64_t& next_sequence) {
  const auto path = logPath(folder());
  const auto known = base::loadRunPyramid(path);
  std::optional<base::EventLogReader> tail;  // of a log that grows: what the pyramid does not cover
  if (known.ok()) {
    std::vector<base::EventRecord> kept;
    for (const auto& line : known->kept) {
      auto event = base::eventFromJson(line);
      if (event.ok() && event->has_value()) kept.push_back(std::move(**event));
    }
    if (!hand(stop, std::move(kept), next_sequence) || !handSeries(stop, known->series)) return false;
    next_sequence = known->next_sequence;
    const std::lock_guard lock(mutex_);
    is_caught_up_ = true;  // all but single points is on show
    if (auto opened = base::EventLogReader::open(path, known->covered_bytes); opened.ok()) tail = std::move(*opened);
  }
  using SteadyClock = std::chrono::steady_clock;
  base::RunCondenser condenser;
  auto next_look = SteadyClock::now() + kFirstLook;
  do {
    auto events = reader.poll();
    if (!events.ok()) {
      // What has been read stays on show; the caller's next poll meets the same trouble and reports it.
      if (known.ok()) return false;
      return hand(stop, condenser.takeKept(), next_sequence) &&
             handSeries(stop, condenser.condensedSeries(kMaxSegments)) && false;
    }
    if (known.ok() && !events->empty() && events->back().sequence >= next_sequence) {
      auto news = *events;  // this reader has overtaken the other
      if (!hand(stop, std::move(news), next_sequence)) return false;
    }
    condenser.apply(std::move(*events));
    if (tail && reader.hasMore()) {
      auto news = tail->poll();
      if (news.ok() && !hand(stop, std::move(*news), next_sequence)) return false;
    }
    if (!known.ok() && reader.hasMore() && SteadyClock::now() >= next_look) {
      const auto begin = SteadyClock::now();
      if (!hand(stop, condenser.takeKept(), next_sequence)) return false;
      if (!handSeries(stop, condenser.condensedSeries(kMaxSegments))) return false;
      next_look = SteadyClock::now() + std::max<SteadyClock::duration>(kFirstLook, 20 * (SteadyClock::now() - begin));
    }
    if (stop.stop_requested()) return false;
  } while (reader.hasMore());
  const bool is_stale = !known.ok() || reader.offset() - known->covered_bytes > kLongLogBytes;
  if (!known.ok() && !hand(stop, condenser.takeKept(), next_sequence)) return false;
  next_sequence = std::max(next_sequence, condenser.nextSequence());
  std::optional<base::RunPyramid> pyramid;
  if (is_stale) {
    if (auto made = condenser.pyramid(reader.offset()); made.ok()) pyramid = std::move(*made);
  }
  if (!handSeries(stop, condenser.takeSeries())) return false;
  // A folder that may not be written is read in full every time.
  if (pyramid) {
    if (const auto saved = base::saveRunPyramid(path, *pyramid); !saved.ok())
      spdlog::debug("{}", saved.error().message);
  }
  return true;
}

void RecordedRunSource::read(const std::stop_token& stop) {
  std::optional<base::EventLogReader> reader;
  std::int64_t next_sequence = 0;  // events already handed over are not handed over again by a reader opened anew
  bool has_points_due = true;      // of a long log only what is condensed may have been handed over, or nothing at all
  const auto report = [&](const QString& trouble) {
    const std::lock_guard lock(mutex_);
    if (reader_trouble_ == trouble && is_caught_up_) return;
    reader_trouble_ = trouble;
    is_caught_up_ = true;
    wakeWindow();
  };
  auto next_look = std::chrono::steady_clock::now();
  do {
    if (const auto now = std::chrono::steady_clock::now(); now >= next_look) {
      next_look = now + std::chrono::seconds(1);
      const auto run = base::RunFolder::open(folder().toStdString());
      const bool is_owned = run.ok() && run->isOwnedBySomeone();
      const std::lock_guard lock(mutex_);
      if (std::exchange(is_owned_, is_owned) != is_owned) wakeWindow();
    }
    if (!reader) {
      auto opened = base::EventLogReader::open(logPath(folder()));
      std::error_code code;
      if (!opened.ok() && next_sequence == 0 && std::filesystem::exists(configPath(folder()), code)) {
        report({});  // made a moment ago, nothing said yet
        continue;
      }
      if (!opened.ok()) {
        report(tr("The run folder is gone or cannot be read any more (%1). What was read so far stays on show.")
                   .arg(QString::fromStdString(opened.error().message)));
        continue;
      }
      reader = std::move(*opened);
      if (has_points_due && fileSize(logPath(folder())) >= kLongLogBytes) {
        if (!readLongLog(stop, *reader, next_sequence)) {
          if (stop.stop_requested()) return;
          reader.reset();  // after trouble it is read from its start again
          continue;
        }
      }
      has_points_due = false;
    }
    auto events = reader->poll();
    if (!events.ok()) {
      report(tr("The run folder is gone or cannot be read any more (%1). What was read so far stays on show.")
                 .arg(QString::fromStdString(events.error().message)));
      reader.reset();
      continue;
    }
    if (events->empty() || events->back().sequence < next_sequence) {
      if (!reader->hasMore()) report({});
      continue;
    }
    if (!hand(stop, std::move(*events), next_sequence)) return;
  } while (reader && reader->hasMore() ? !stop.stop_requested() : waitFor(stop, kPollMs));
}

bool RecordedRunSource::isWorkedOn() const {
  if (base::isEnded(summary().state)) return false;
  // On a network file system the owner's lock may be invisible from here: fresh events say as much.
  return is_owned_here_ || QDateTime::currentMSecsSinceEpoch() / 1000.0 - summary().last_event_unix < kFreshSeconds;
}

bool RecordedRunSource::drain() {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(kMaxFoldMs);
  std::vector<base::EventRecord> batch;
  bool has_more = true;
  while (has_more && std::chrono::steady_clock::now() < deadline) {
    batch.clear();
    std::optional<base::MetricsStore::SeriesMap> series;
    {
      const std::lock_guard lock(mutex_);
      if (waiting_series_ && events_before_series_ == 0) series = std::exchange(waiting_series_, std::nullopt);
      auto size = std::min<std::size_t>(waiting_.size(), series ? 0 : 512);
      if (waiting_series_) events_before_series_ -= size = std::min(size, events_before_series_);
      const auto count = static_cast<std::ptrdiff_t>(size);
      std::move(waiting_.begin(), waiting_.begin() + count, std::back_inserter(batch));
      waiting_.erase(waiting_.begin(), waiting_.begin() + count);
      has_more = !waiting_.empty() || waiting_series_;
    }
    condition_.notify_all();
    if (series) replaceSeries(std::move(*series));
    feed(batch);
  }
  bool is_caught_up = false;
  QString trouble;
  {
    const std::lock_guard lock(mutex_);
    is_wake_posted_ = false;
    is_caught_up = is_caught_up_ && waiting_.empty() && !waiting_series_;
    trouble = reader_trouble_;
    if (std::exchange(is_owned_here_, is_owned_) != is_owned_) markSummary();
  }
  setTrouble(trouble);
  if (is_caught_up) setLoading(false);
  return has_more;
}

}  // namespace meanflow::ui
