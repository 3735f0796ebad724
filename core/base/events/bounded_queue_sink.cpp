// SPDX-License-Identifier: Apache-2.0
#include "core/base/events/bounded_queue_sink.h"

#include <iterator>

#include "core/base/overloaded.h"

namespace meanflow::base {
namespace {

/// Events with the same key replace one another while they wait; empty = kept.
std::string replacementKey(const TrainingEvent& event) {
  return std::visit(
      Overloaded{[](const SamplesReady& e) { return "samples/" + e.stage + "/" + e.what; },
                 [](const TrajectoryReady& e) { return "trajectory/" + e.stage + "/" + std::to_string(e.label); },
                 [](const CmtMatrixReady& e) { return "matrix/" + e.stage + "/" + e.reference; },
                 [](const Progress& e) { return "progress/" + e.what; },
                 [](const WatchingCost&) { return std::string("watching"); },
                 [](const auto&) { return std::string(); }},
      event);
}

}  // namespace

void BoundedQueueSink::publish(const EventRecord& record) {
  bool was_empty = false;
  {
    const std::lock_guard lock(mutex_);
    was_empty = waiting_.empty();
    waiting_.push_back(record);
    if (const auto key = replacementKey(record.event); !key.empty()) {
      if (const auto old = replaceable_.find(key); old != replaceable_.end()) {
        waiting_.erase(old->second);
        ++num_replaced_;
      }
      replaceable_[key] = std::prev(waiting_.end());
    }
  }
  const std::lock_guard lock(wake_mutex_);
  if (was_empty && wake_) wake_();
}

std::vector<EventRecord> BoundedQueueSink::drain() {
  std::list<EventRecord> taken;
  {
    const std::lock_guard lock(mutex_);
    taken.swap(waiting_);
    replaceable_.clear();
  }
  return {std::make_move_iterator(taken.begin()), std::make_move_iterator(taken.end())};
}

void BoundedQueueSink::close() {
  const std::lock_guard lock(wake_mutex_);
  wake_ = {};
}

std::int64_t BoundedQueueSink::numReplaced() const {
  const std::lock_guard lock(mutex_);
  return num_replaced_;
}

}  // namespace meanflow::base
