// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <string_view>

#include "core/base/result.h"

namespace meanflow::base {

/// Where a shipped file or folder such as "presets/demo.yaml" lies. Looked for in $MEANFLOW_RESOURCES, then in
/// ../share/meanflow-studio beside the executable's folder, then in the `resources` folder of the nearest folder above
/// the executable that holds resources/presets, then in the source tree. The error lists the folders tried.
Result<std::filesystem::path> resourcePath(std::string_view relative);

/// Absolute path of the running program, empty when the system does not tell.
std::filesystem::path executablePath();

}  // namespace meanflow::base
