// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <string>
#include <variant>

namespace meanflow::base {

// What a person asks of a running run. Taken between steps; the run answers with StateChanged when it has happened.
struct Pause {};  ///< Hold at a step boundary, models resident, sampling goes on.
struct Resume {};
struct StopAndSave {};  ///< Checkpoint, then end.
struct Discard {};      ///< End at once; what is on disk stays as it was.
struct SaveNow {};      ///< A checkpoint, then go on.
struct ChangeSetting {
  std::string key;
  std::string value;
};  ///< A dotted configuration key, e.g. "mean_flow.training.lr".

using Command = std::variant<Pause, Resume, StopAndSave, Discard, SaveNow, ChangeSetting>;

}  // namespace meanflow::base
