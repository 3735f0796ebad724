// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <string>

#include "core/base/run/training_host.h"

namespace meanflow::base {

/// The embedded demo, as `meanflow demo` and `meanflow-studio --demo` start it.
struct DemoOptions {
  std::string run_folder;  ///< Empty = $XDG_DATA_HOME/meanflow-studio/runs/demo[-quick]-seed-N.
  std::int64_t seed = 0;
  bool is_quick = false;
  bool has_control = false;
};

/// The run to start or, where the folder already holds one, to continue.
RunRequest demoRequest(const DemoOptions& options);

/// $XDG_DATA_HOME/meanflow-studio/runs (with ~/.local/share as the fallback).
std::string defaultRunsFolder();

}  // namespace meanflow::base
