// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

namespace meanflow::training {

/// One low-priority thread that makes pictures beside training: live grids from snapshots of the averaged weights, and
/// what a person asks for. Training never waits for it. What a person asks for goes first; a newer request cancels the
/// older one, and of waiting live jobs with the same key only the newest is done.
class SamplingWorker {
 public:
  /// `on_error` is told the message of a job that threw; called on the worker's thread.
  explicit SamplingWorker(std::function<void(const std::string&)> on_error);
  ~SamplingWorker();  ///< Finishes the job at hand, drops the rest, joins.

  using Cancelled = std::shared_ptr<const std::atomic<bool>>;
  void submitLive(const std::string& key, std::function<void()> job);
  void submitRequest(std::function<void(const Cancelled& cancelled)> job);

  /// CPU seconds spent so far on live jobs with this key; 0 for a key never seen. A job counts when it has ended.
  double liveCpuSeconds(const std::string& key) const;
  /// Waits until no job waits or runs.
  void drain();
  /// Drops the live jobs that wait and then drains: what is being made is finished, nothing new is begun.
  void finish();

 private:
  void work(const std::stop_token& stop);

  std::function<void(const std::string&)> on_error_;
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<std::pair<std::string, std::function<void()>>> live_;
  std::function<void(const Cancelled&)> request_;
  std::shared_ptr<std::atomic<bool>> request_cancelled_;
  bool is_busy_ = false;
  std::map<std::string, double> live_cpu_seconds_;
  std::jthread thread_;
};

}  // namespace meanflow::training
