// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "core/base/events/event_sink.h"

namespace meanflow::base {

/// The queue between a training thread and a window that may be busy. Scalars and milestones are always kept; of waiting
/// pictures (samples, trajectories, CMT matrices) only the newest per (stage, what) survives, and only the newest
/// progress and watching cost. Thread-safe; publish never waits for the reader.
class BoundedQueueSink final : public EventSink {
 public:
  /// `wake` is called on the publishing thread when the queue turns from empty to not empty; it must return promptly
  /// and may be empty.
  explicit BoundedQueueSink(std::function<void()> wake = {}) : wake_(std::move(wake)) {}

  void publish(const EventRecord& record) override;
  /// Takes everything waiting, in order of sequence.
  std::vector<EventRecord> drain();
  /// After it returns no wake-up is called any more: for a reader that goes away first.
  void close();
  std::int64_t numReplaced() const;

 private:
  mutable std::mutex mutex_;
  std::mutex wake_mutex_;
  std::function<void()> wake_;
  std::list<EventRecord> waiting_;
  std::map<std::string, std::list<EventRecord>::iterator> replaceable_;
  std::int64_t num_replaced_ = 0;
};

}  // namespace meanflow::base
