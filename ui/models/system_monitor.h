// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QObject>
#include <QString>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "core/base/system/system_probe.h"

namespace meanflow::ui {

/// Looks at machine, process and GPUs every second on a thread of its own (a GPU driver may take its time, a file
/// system that hangs its own) and keeps the last minutes. Once in five seconds while nobody watches. UI thread.
class SystemMonitor final : public QObject {
  Q_OBJECT
 public:
  static constexpr double kKeptSeconds = 600;
  static constexpr int kWatchedMs = 1000, kUnwatchedMs = 5000;

  /// One look; called on the monitor's thread alone. The default is a base::SystemProbe.
  struct Look {
    base::SystemReading reading;
    QString gpu_problem;
  };
  using Probe = std::function<Look(const std::string& folder)>;
  static Probe machineProbe();

  explicit SystemMonitor(Probe probe, QObject* parent = nullptr);
  ~SystemMonitor() override;

  void setFolder(const QString& folder);  ///< Whose disk is looked at; empty: none.
  void setWatched(bool is_watched);

  /// Oldest first.
  const std::deque<base::SystemReading>& history() const { return history_; }
  /// Why there are no GPUs; empty when there are, or before the first look.
  const QString& gpuProblem() const { return gpu_problem_; }

 Q_SIGNALS:
  void changed();

 private:
  void work(const std::stop_token& stop);
  void take(const Look& look);

  Probe probe_;
  std::deque<base::SystemReading> history_;
  QString gpu_problem_;
  std::mutex mutex_;
  std::condition_variable_any condition_;
  std::string folder_;  ///< Under mutex_, as the two below.
  bool is_watched_ = false;
  bool is_woken_ = false;
  std::jthread thread_;
};

}  // namespace meanflow::ui
