// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <string_view>

#include "core/base/events/training_event.h"

namespace meanflow::base {

/// Reads a StepCompleted exactly as toJsonLine writes it, some ten times faster than a JSON parser: nearly all lines of
/// a long log are such. Whatever looks different in any way (other order, escapes, duplicate names, numbers that do
/// not fit) is nullopt and left to eventFromJson, so both agree on every line.
std::optional<EventRecord> stepFromJsonLine(std::string_view line);

}  // namespace meanflow::base
