// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/recorded_run_source.h"

#include <QDateTime>
#include <QFileInfo>
#include <optional>
#include <vector>

#include "core/base/events/event_log.h"
#include "core/base/run/run_folder.h"
#include "core/base/run/run_state.h"

namespace meanflow::ui {
namespace {

std::filesystem::path logPath(const QString& folder) {
  return std::filesystem::path(folder.toStdString()) / "events.jsonl";
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

void RecordedRunSource::read(const std::stop_token& stop) {
  std::optional<base::EventLogReader> reader;
  std::int64_t next_sequence = 0;  // events already handed over are not handed over again by a reader opened anew
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
    }
    auto events = reader->poll();
    if (!events.ok()) {
      report(tr("The run folder is gone or cannot be read any more (%1). What was read so far stays on show.")
                 .arg(QString::fromStdString(events.error().message)));
      reader.reset();
      continue;
    }
    std::erase_if(*events, [&](const base::EventRecord& e) { return e.sequence < next_sequence; });
    if (events->empty()) {
      if (!reader->hasMore()) report({});
      continue;
    }
    next_sequence = events->back().sequence + 1;
    std::unique_lock lock(mutex_);
    condition_.wait(lock, stop, [this] { return waiting_.size() < kMaxWaiting; });
    if (stop.stop_requested()) return;
    std::move(events->begin(), events->end(), std::back_inserter(waiting_));
    reader_trouble_.clear();
    wakeWindow();
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
    {
      const std::lock_guard lock(mutex_);
      const auto count = static_cast<std::ptrdiff_t>(std::min<std::size_t>(waiting_.size(), 512));
      std::move(waiting_.begin(), waiting_.begin() + count, std::back_inserter(batch));
      waiting_.erase(waiting_.begin(), waiting_.begin() + count);
      has_more = !waiting_.empty();
    }
    condition_.notify_all();
    feed(batch);
  }
  bool is_caught_up = false;
  QString trouble;
  {
    const std::lock_guard lock(mutex_);
    is_wake_posted_ = false;
    is_caught_up = is_caught_up_ && waiting_.empty();
    trouble = reader_trouble_;
    if (std::exchange(is_owned_here_, is_owned_) != is_owned_) markSummary();
  }
  setTrouble(trouble);
  if (is_caught_up) setLoading(false);
  return has_more;
}

}  // namespace meanflow::ui
