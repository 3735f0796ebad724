// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <thread>

namespace meanflow::app {

/// Turns the first SIGINT or SIGTERM into a call of `on_first` (on this object's thread) and the second into an
/// immediate end with 128 + the signal's number. Construct before any other thread is started: they inherit the blocked
/// signals.
class SignalWatch {
 public:
  explicit SignalWatch(std::function<void(int signal)> on_first);
  ~SignalWatch();

 private:
  std::jthread thread_;
};

}  // namespace meanflow::app
