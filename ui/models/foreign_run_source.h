// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <condition_variable>
#include <deque>
#include <mutex>
#include <stop_token>
#include <thread>

#include "core/base/result.h"
#include "ui/models/run_source.h"

namespace meanflow::ui {

/// Follows a training of another program by the files it leaves (core/base/run/trace_folder.h), read-only, on a thread
/// of its own. What it is, `origin` says.
class ForeignRunSource final : public RunSource {
  Q_OBJECT
 public:
  /// One sentence why there is nothing to show at `path`, or success. A folder, or one event file or log.
  static base::Result<void> check(const QString& path);

  explicit ForeignRunSource(const QString& path, QObject* parent = nullptr);
  ~ForeignRunSource() override;

  QString origin() const override { return origin_; }

 private:
  static constexpr std::size_t kMaxWaiting = 100'000;
  static constexpr int kForeignPollMs = 400;
  static constexpr int kMaxForeignFoldMs = 12;  ///< Of a frame.

  bool drain() override;
  void read(const std::stop_token& stop);
  bool waitFor(const std::stop_token& stop, int milliseconds);
  void wakeWindow();

  QString path_;
  QString origin_;
  std::mutex mutex_;
  std::condition_variable_any condition_;
  std::deque<base::EventRecord> waiting_;
  QString reader_trouble_, reader_origin_;
  bool is_caught_up_ = false;
  bool is_wake_posted_ = false;
  std::jthread reader_;  ///< Last: it uses all of the above.
};

}  // namespace meanflow::ui
