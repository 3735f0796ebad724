// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/sample_job.h"

#include <algorithm>
#include <mutex>
#include <utility>
#include <vector>

namespace meanflow::ui {

struct SampleJob::Mailbox {
  std::mutex mutex;
  SampleJob* owner = nullptr;  ///< Null once it is gone.
  std::vector<base::SampleResult> waiting;
  bool is_woken = false;

  void deliver(const base::SampleResult& result) {
    const std::lock_guard lock(mutex);
    if (!owner) return;
    waiting.push_back(result);
    if (std::exchange(is_woken, true)) return;
    // The owner cannot go while the lock is held; a queued call is dropped when it goes later.
    QMetaObject::invokeMethod(
        owner, [job = owner] { job->take(); }, Qt::QueuedConnection);
  }
};

SampleJob::SampleJob(QObject* parent) : QObject(parent), mailbox_(std::make_shared<Mailbox>()) {
  mailbox_->owner = this;
}

SampleJob::~SampleJob() {
  const std::lock_guard lock(mailbox_->mutex);
  mailbox_->owner = nullptr;
}

void SampleJob::setHost(base::TrainingHost* host) {
  host_ = host;
  if (!host_) cancel();
  Q_EMIT changed();
}

void SampleJob::cancel() {
  // What is still delivered has an old number and is passed over.
  ++id_;
  is_busy_ = false;
}

void SampleJob::forget() {
  cancel();
  grids_[0].reset();
  grids_[1].reset();
  num_done_ = num_wanted_ = 0;
  first_ms_ = total_ms_ = -1;
  Q_EMIT changed();
}

void SampleJob::start(const QString& run_folder, const SampleSettings& settings,
                      const std::optional<SampleSettings>& other) {
  if (!host_) return;
  run_folder_ = run_folder;
  settings_[0] = settings;
  has_other_ = other.has_value();
  if (other) settings_[1] = *other;
  if (!has_other_) grids_[1].reset();
  num_done_ = 0;
  num_wanted_ = settings.numRows() * settings.numColumns() * (has_other_ ? 2 : 1);
  first_ms_ = total_ms_ = -1;
  is_busy_ = true;
  ask(0);
  Q_EMIT changed();
}

void SampleJob::ask(int which) {
  which_ = which;
  drawn_.reset();
  const auto request = settings_[which].request(run_folder_, ++id_);
  host_->requestSamples(request, [mailbox = mailbox_](const base::SampleResult& result) { mailbox->deliver(result); });
}

void SampleJob::take() {
  std::vector<base::SampleResult> results;
  {
    const std::lock_guard lock(mailbox_->mutex);
    results.swap(mailbox_->waiting);
    mailbox_->is_woken = false;
  }
  bool has_news = false;
  bool is_last = false;
  for (const auto& result : results) {
    if (result.id != id_ || !is_busy_) continue;
    has_news = true;
    if (!result.error.empty()) {
      is_busy_ = false;
      Q_EMIT failed(QString::fromStdString(result.error));
      break;
    }
    put(which_, result);
    is_last = result.is_last;
  }
  if (!has_news) return;
  // Drawn again from a copy: what the pane holds stays as it was given.
  if (drawn_) grids_[which_] = std::make_shared<const base::Image8>(*drawn_);
  if (is_last && is_busy_) {
    if (which_ == 0 && has_other_)
      ask(1);
    else
      is_busy_ = false;
  }
  Q_EMIT changed();
}

void SampleJob::put(int which, const base::SampleResult& result) {
  if (!result.image || result.image->empty()) return;
  const auto& image = *result.image;
  const auto& settings = settings_[which];
  const int columns = settings.numColumns();
  const int rows = settings.numRows();
  if (!drawn_) drawn_ = std::make_shared<base::Image8>(columns * image.width, rows * image.height, 128);
  const int x0 = result.index % columns * image.width;
  const int y0 = result.index / columns * image.height;
  if (y0 + image.height > drawn_->height || x0 + image.width > drawn_->width) return;
  for (int y = 0; y < image.height; ++y)
    std::copy_n(image.at(0, y), static_cast<std::size_t>(image.width) * 3, drawn_->at(x0, y0 + y));
  ++num_done_;
  if (which != 0) return;
  if (first_ms_ < 0) first_ms_ = result.latency_ms;
  if (result.is_last) total_ms_ = result.latency_ms;
}

}  // namespace meanflow::ui
