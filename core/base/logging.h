// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <string>

#include "core/base/result.h"

namespace meanflow::base {

/// Sets spdlog's default logger: stderr, in colour on a terminal unless NO_COLOR is set. `level`: error, warn, info,
/// debug or trace. Error (kUsage) for another word. Call once at the start of main.
Result<void> setUpLogging(const std::string& level = "info");

/// Also logs to this file from now on (log.txt of a run), appending, at debug level and above as far as `level` lets
/// them through, flushed at every warning.
Result<void> addLogFile(const std::filesystem::path& path);

/// Whether escape sequences belong on stderr: a terminal, NO_COLOR not set, TERM not "dumb".
bool isColourWanted();

}  // namespace meanflow::base
