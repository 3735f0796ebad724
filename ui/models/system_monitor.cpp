// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/system_monitor.h"

#include <utility>

namespace meanflow::ui {

SystemMonitor::Probe SystemMonitor::machineProbe() {
  // Opened by the first look: loading a driver is nothing for the window's thread.
  return [probe = std::shared_ptr<base::SystemProbe>()](const std::string& folder) mutable {
    if (!probe) probe = std::make_shared<base::SystemProbe>();
    Look look;
    look.reading = probe->read(folder);
    look.gpu_problem = QString::fromStdString(probe->gpuProblem());
    return look;
  };
}

SystemMonitor::SystemMonitor(Probe probe, QObject* parent)
    : QObject(parent), probe_(std::move(probe)), thread_([this](const std::stop_token& stop) { work(stop); }) {}

SystemMonitor::~SystemMonitor() {
  thread_.request_stop();
  thread_.join();
}

void SystemMonitor::setFolder(const QString& folder) {
  const std::lock_guard lock(mutex_);
  if (std::exchange(folder_, folder.toStdString()) == folder.toStdString()) return;
  is_woken_ = true;
  condition_.notify_all();
}

void SystemMonitor::setWatched(bool is_watched) {
  const std::lock_guard lock(mutex_);
  if (std::exchange(is_watched_, is_watched) == is_watched) return;
  is_woken_ = is_watched;
  condition_.notify_all();
}

void SystemMonitor::work(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    std::string folder;
    {
      const std::lock_guard lock(mutex_);
      folder = folder_;
    }
    const Look look = probe_(folder);
    QMetaObject::invokeMethod(
        this, [this, look] { take(look); }, Qt::QueuedConnection);
    std::unique_lock lock(mutex_);
    const auto pause = std::chrono::milliseconds(is_watched_ ? kWatchedMs : kUnwatchedMs);
    condition_.wait_for(lock, stop, pause, [this] { return is_woken_; });
    is_woken_ = false;
  }
}

void SystemMonitor::take(const Look& look) {
  history_.push_back(look.reading);
  while (history_.size() > 2 && history_.front().unix_seconds < look.reading.unix_seconds - kKeptSeconds)
    history_.pop_front();
  gpu_problem_ = look.gpu_problem;
  Q_EMIT changed();
}

}  // namespace meanflow::ui
