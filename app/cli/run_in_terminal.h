// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <string>

#include "core/base/run/training_host.h"

namespace meanflow::app {

/// A run driven from a terminal: progress bars on stderr, the first Ctrl-C or SIGTERM saves and stops, the second ends
/// at once.
struct TerminalRun {
  base::RunRequest request;
  std::string device;  ///< Empty = as configured.
  std::optional<std::int64_t> seed;
  bool is_json = false;

  /// `source` is a run folder to continue (it then becomes request.run_folder) or a configuration.
  void setSource(const std::string& source);
  /// The run leaves the run folder `parent` at `at`, "STAGE:STEP".
  base::Result<void> setBranch(const std::string& parent, const std::string& at);
};

/// Prints the message on stderr and returns the exit code of its kind.
int reportError(const base::Error& error);

/// Returns the exit code: 0 finished, 1 failed, 2 bad usage, 3 diverged, 75 stopped and saved.
int runInTerminal(TerminalRun& options);

}  // namespace meanflow::app
