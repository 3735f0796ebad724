// SPDX-License-Identifier: Apache-2.0
#include "core/base/run/run_state.h"

#include <array>
#include <utility>

namespace meanflow::base {
namespace {
constexpr std::array<std::pair<RunState, std::string_view>, 9> kNames = {{{RunState::kIdle, "idle"},
                                                                          {RunState::kStarting, "starting"},
                                                                          {RunState::kRunning, "running"},
                                                                          {RunState::kPausing, "pausing"},
                                                                          {RunState::kPaused, "paused"},
                                                                          {RunState::kStopping, "stopping"},
                                                                          {RunState::kStopped, "stopped"},
                                                                          {RunState::kFinished, "finished"},
                                                                          {RunState::kFailed, "failed"}}};
}  // namespace

std::string_view toString(RunState state) {
  for (const auto& [value, name] : kNames)
    if (value == state) return name;
  return "idle";
}

std::optional<RunState> runStateFromString(std::string_view name) {
  for (const auto& [value, text] : kNames)
    if (text == name) return value;
  return std::nullopt;
}

bool isEnded(RunState state) {
  return state == RunState::kIdle || state == RunState::kStopped || state == RunState::kFinished ||
         state == RunState::kFailed;
}

bool isAllowedTransition(RunState from, RunState to) {
  if (isEnded(from)) return to == RunState::kStarting;
  if (to == RunState::kFailed || to == RunState::kStopped) return true;
  switch (from) {
    case RunState::kStarting:
      return to == RunState::kRunning || to == RunState::kPausing || to == RunState::kPaused ||
             to == RunState::kStopping || to == RunState::kFinished;
    case RunState::kRunning:
      return to == RunState::kPausing || to == RunState::kPaused || to == RunState::kStopping ||
             to == RunState::kFinished;
    case RunState::kPausing:
      return to == RunState::kPaused || to == RunState::kRunning || to == RunState::kStopping ||
             to == RunState::kFinished;
    case RunState::kPaused:
      return to == RunState::kRunning || to == RunState::kStopping;
    default:
      return false;
  }
}

}  // namespace meanflow::base
