// SPDX-License-Identifier: Apache-2.0
#include "training/run/command_queue.h"

namespace meanflow::training {

void CommandQueue::push(base::Command command) {
  {
    const std::lock_guard lock(mutex_);
    commands_.push_back(std::move(command));
  }
  arrived_.notify_all();
}

std::optional<base::Command> CommandQueue::poll() { return waitFor(std::chrono::milliseconds(0)); }

std::optional<base::Command> CommandQueue::waitFor(std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  if (!arrived_.wait_for(lock, timeout, [this] { return !commands_.empty(); })) return std::nullopt;
  base::Command command = std::move(commands_.front());
  commands_.pop_front();
  return command;
}

}  // namespace meanflow::training
