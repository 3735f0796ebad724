// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>

#include "core/base/events/command.h"

namespace meanflow::training {

/// Commands on their way to a run, from any thread; taken between steps by the leading worker.
class CommandQueue {
 public:
  void push(base::Command command);
  std::optional<base::Command> poll();
  /// Waits until a command is there or `timeout` has passed.
  std::optional<base::Command> waitFor(std::chrono::milliseconds timeout);

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<base::Command> commands_;
};

}  // namespace meanflow::training
