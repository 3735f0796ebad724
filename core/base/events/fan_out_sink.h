// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/base/events/event_sink.h"

namespace meanflow::base {

/// Seconds since 1970 with fractions, by the system clock.
double unixSecondsNow();

/// Gives each event its sequence number and time and hands it to every sink, one event at a time. Thread-safe. A sink
/// that throws is dropped with one warning; nothing reaches the trainer. Sinks must not publish into it again.
class FanOutSink final : public EventSink {
 public:
  explicit FanOutSink(std::int64_t first_sequence = 0, std::function<double()> clock = unixSecondsNow);

  /// `name` is what the warning calls the sink.
  void add(std::string name, std::shared_ptr<EventSink> sink);
  void post(TrainingEvent event);
  /// The record's own sequence and time are replaced.
  void publish(const EventRecord& record) override { post(record.event); }
  std::int64_t nextSequence() const;

 private:
  mutable std::mutex mutex_;
  std::int64_t next_sequence_ = 0;
  std::function<double()> clock_;
  std::vector<std::pair<std::string, std::shared_ptr<EventSink>>> sinks_;
};

}  // namespace meanflow::base
