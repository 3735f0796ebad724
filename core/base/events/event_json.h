// SPDX-License-Identifier: Apache-2.0
//
// One event as one line of JSON, the format of events.jsonl:
//   {"seq":17,"time":1700000000.25,"type":"step_completed","stage":"teacher","step":40,"scalars":{"loss":0.61},...}
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "core/base/events/training_event.h"
#include "core/base/result.h"

namespace meanflow::base {

/// One line without the newline. NaN and infinities become null; pixels are left out (`path` names the file).
std::string toJsonLine(const EventRecord& record);

/// Reads one line. nullopt: an event type that this version does not know (written by a newer one). Absent members keep
/// their defaults, null numbers become NaN. Error: not JSON, or a member of the wrong type.
Result<std::optional<EventRecord>> eventFromJson(std::string_view line);

/// Name of an event's type as written: "run_started", "step_completed", ...
std::string_view typeName(const TrainingEvent& event);

}  // namespace meanflow::base
