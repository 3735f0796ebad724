// SPDX-License-Identifier: Apache-2.0
#include "core/base/events/fan_out_sink.h"

#include <spdlog/spdlog.h>

#include <chrono>

namespace meanflow::base {

double unixSecondsNow() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

FanOutSink::FanOutSink(std::int64_t first_sequence, std::function<double()> clock)
    : next_sequence_(first_sequence), clock_(std::move(clock)) {}

void FanOutSink::add(std::string name, std::shared_ptr<EventSink> sink) {
  const std::lock_guard lock(mutex_);
  sinks_.emplace_back(std::move(name), std::move(sink));
}

void FanOutSink::post(TrainingEvent event) {
  const std::lock_guard lock(mutex_);
  const EventRecord record{next_sequence_++, clock_(), std::move(event)};
  std::erase_if(sinks_, [&](const auto& named) {
    std::string what = "unknown exception";
    try {
      named.second->publish(record);
      return false;
    } catch (const std::exception& e) {
      what = e.what();
    } catch (...) {  // a sink may throw anything; training goes on without it
    }
    spdlog::warn("event sink '{}' failed and is no longer used: {}", named.first, what);
    return true;
  });
}

std::int64_t FanOutSink::nextSequence() const {
  const std::lock_guard lock(mutex_);
  return next_sequence_;
}

}  // namespace meanflow::base
