// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <vector>

#include "core/base/events/training_event.h"

namespace meanflow::base {

/// Receives the events of one run. Called from training threads, one at a time; returns promptly, never throws.
class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual void publish(const EventRecord& record) = 0;
};

}  // namespace meanflow::base
