// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QObject>
#include <QSettings>
#include <QTemporaryDir>
#include <functional>

#include "ui/bench/bench.h"

namespace meanflow::ui {

/// CPU time of the calling thread in milliseconds: what something costs, whatever else the machine is doing.
double threadCpuMs();
/// Resident memory of the process in MiB.
double residentMib();
/// Runs the event loop until `is_done`, looked at after every turn and at least every `wake_ms`, or until the time is
/// over; whether it was done.
bool spinUntil(const std::function<bool()>& is_done, double max_seconds, int wake_ms = 5);

/// A place that knows nothing of the person's settings, runs and queue: set up before a window is made.
class BenchRoom {
 public:
  BenchRoom();
  QSettings& settings() { return settings_; }
  QString path(const QString& name) const { return dir_.filePath(name); }

 private:
  QTemporaryDir dir_;
  QSettings settings_;
};

/// CPU time of the window's thread in each turn of its event loop: waiting costs none, nor do other programs.
class BusyMeter final : public QObject {
  Q_OBJECT
 public:
  explicit BusyMeter(QObject* parent = nullptr);
  void restart();
  const FrameTimes& frames() const { return frames_; }  ///< Those over 1 ms.
  double busyMs() const { return busy_ms_; }            ///< Of all.

 private:
  double cpu_ms_ = threadCpuMs();
  FrameTimes frames_;
  double busy_ms_ = 0;
};

}  // namespace meanflow::ui
