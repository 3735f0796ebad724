// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <vector>

#include "core/base/events/event_sink.h"
#include "core/base/events/training_event.h"

namespace meanflow::testing {

/// Keeps every event of a run. `answer` is called in the middle of training, on the thread that publishes.
class KeptEvents final : public base::EventSink {
 public:
  void publish(const base::EventRecord& record) override {
    events.push_back(record.event);
    if (answer) answer(record.event);
  }
  template <class Event>
  std::vector<Event> all() const {
    std::vector<Event> found;
    for (const auto& event : events)
      if (const auto* one = std::get_if<Event>(&event)) found.push_back(*one);
    return found;
  }

  std::vector<base::TrainingEvent> events;
  std::function<void(const base::TrainingEvent&)> answer;
};

}  // namespace meanflow::testing
