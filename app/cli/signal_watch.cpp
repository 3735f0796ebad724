// SPDX-License-Identifier: Apache-2.0
#include "app/cli/signal_watch.h"

#include <unistd.h>
#include <csignal>
#include <ctime>

namespace meanflow::app {
namespace {
sigset_t stopSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}
}  // namespace

SignalWatch::SignalWatch(std::function<void(int)> on_first) {
  const sigset_t set = stopSignals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  thread_ = std::jthread([on_first = std::move(on_first)](const std::stop_token& stop) {
    const sigset_t waited = stopSignals();
    const timespec interval{0, 200'000'000};  // how often the stop token is looked at
    int num_received = 0;
    while (!stop.stop_requested()) {
      const int signal = sigtimedwait(&waited, nullptr, &interval);
      if (signal <= 0) continue;
      if (++num_received > 1) _exit(128 + signal);
      on_first(signal);
    }
  });
}

SignalWatch::~SignalWatch() = default;

}  // namespace meanflow::app
