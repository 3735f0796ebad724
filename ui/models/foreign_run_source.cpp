// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/foreign_run_source.h"

#include <QFileInfo>
#include <optional>
#include <utility>
#include <vector>

#include "core/base/run/trace_folder.h"

namespace meanflow::ui {
namespace {

QString folderOfTraces(const QString& path) {
  const QFileInfo info(path);
  return info.isDir() ? info.absoluteFilePath() : info.absolutePath();
}

}  // namespace

base::Result<void> ForeignRunSource::check(const QString& path) {
  const QFileInfo info(path);
  const auto fail = [](const QString& text) { return base::Error{text.toStdString()}; };
  if (!info.exists()) return fail(tr("There is no folder %1.").arg(path));
  if (!info.isReadable() || (info.isDir() && !info.isExecutable()))
    return fail(tr("%1 may not be read; check its permissions.").arg(path));
  if (!base::hasTraces(path.toStdString()))
    return fail(tr("%1 is not a run folder: it has neither config.yaml nor events.jsonl, and no TensorBoard event file "
                   "and no log.txt either.")
                    .arg(path));
  return {};
}

ForeignRunSource::ForeignRunSource(const QString& path, QObject* parent)
    : RunSource(folderOfTraces(path), parent), path_(path), origin_(tr("Recorded by another program")) {
  setLoading(true);
  reader_ = std::jthread([this](const std::stop_token& stop) { read(stop); });
}

ForeignRunSource::~ForeignRunSource() {
  reader_.request_stop();
  reader_.join();
}

bool ForeignRunSource::waitFor(const std::stop_token& stop, int milliseconds) {
  std::unique_lock lock(mutex_);
  condition_.wait_for(lock, stop, std::chrono::milliseconds(milliseconds), [] { return false; });
  return !stop.stop_requested();
}

void ForeignRunSource::wakeWindow() {
  // Called with mutex_ held. The queued call is dropped by Qt if the source is gone by then.
  if (std::exchange(is_wake_posted_, true)) return;
  QMetaObject::invokeMethod(
      this, [this] { scheduleFrame(); }, Qt::QueuedConnection);
}

void ForeignRunSource::read(const std::stop_token& stop) {
  std::optional<base::TraceFolder> traces;
  do {
    QString trouble, origin;
    std::vector<base::EventRecord> events;
    if (!traces) {
      if (auto opened = base::TraceFolder::open(path_.toStdString()); opened.ok())
        traces = std::move(*opened);
      else
        trouble = QString::fromStdString(opened.error().message);
    }
    if (traces) {
      events = traces->poll();
      origin = tr("Recorded by another program: %1. It can be looked at, not trained or changed.")
                   .arg(QString::fromStdString(traces->description()));
      QStringList sentences;
      for (const auto& [file, sentence] : traces->problems()) {
        if (sentences.size() == 3) {
          sentences << tr("and %1 more files").arg(traces->problems().size() - 3);
          break;
        }
        sentences << QString::fromStdString(sentence);
      }
      if (!sentences.isEmpty()) trouble = tr("Not all of it can be read. %1").arg(sentences.join(QStringLiteral("; ")));
      if (QFileInfo::exists(folder()) == false)
        trouble = tr("The folder %1 is gone. What was read so far stays on show.").arg(folder());
    }
    std::unique_lock lock(mutex_);
    condition_.wait(lock, stop, [this] { return waiting_.size() < kMaxWaiting; });
    if (stop.stop_requested()) return;
    const bool is_caught_up = !traces || !traces->hasMore();
    const bool has_news =
        !events.empty() || trouble != reader_trouble_ || origin != reader_origin_ || is_caught_up != is_caught_up_;
    std::move(events.begin(), events.end(), std::back_inserter(waiting_));
    reader_trouble_ = trouble;
    reader_origin_ = origin;
    is_caught_up_ = is_caught_up;
    if (has_news) wakeWindow();
  } while (traces && traces->hasMore() ? !stop.stop_requested() : waitFor(stop, kForeignPollMs));
}

bool ForeignRunSource::drain() {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(kMaxForeignFoldMs);
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
  QString trouble, origin;
  {
    const std::lock_guard lock(mutex_);
    is_wake_posted_ = false;
    is_caught_up = is_caught_up_ && waiting_.empty();
    trouble = reader_trouble_;
    origin = reader_origin_;
  }
  if (!origin.isEmpty() && std::exchange(origin_, origin) != origin) markSummary();
  setTrouble(trouble);
  if (is_caught_up) setLoading(false);
  return has_more;
}

}  // namespace meanflow::ui
