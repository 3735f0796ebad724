// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <string_view>

#include "core/base/events/training_event.h"

namespace meanflow::base {

/// Lower-case name as written to events.jsonl ("running").
std::string_view toString(RunState state);
std::optional<RunState> runStateFromString(std::string_view name);

/// Whether a run may go from one state to the next. Every live state may fail or stop; ended states are final until a
/// new process starts the run again (kStarting).
bool isAllowedTransition(RunState from, RunState to);

/// Stopped, finished, failed or never started: no worker owns the run.
bool isEnded(RunState state);

}  // namespace meanflow::base
