// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/base/result.h"

namespace meanflow::base {

/// What a run was made with; environment.json in the run folder. Versions and devices are passed in, because this layer
/// knows neither LibTorch nor CUDA.
struct Environment {
  std::map<std::string, std::string> versions;  ///< e.g. {"meanflow", "0.1.0"}, {"libtorch", "2.11.0"}.
  std::vector<std::string> devices;             ///< Names, one per worker's device.
  std::vector<std::string> command_line;
  int num_cpu_cores = 0;                        ///< 0 = found here.
  double unix_seconds = 0;                      ///< 0 = now.
};

/// Adds host name, operating system and the time as text, and writes atomically.
Result<void> writeEnvironment(const std::filesystem::path& path, const Environment& environment);

}  // namespace meanflow::base
