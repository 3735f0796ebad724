// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

namespace meanflow::app {

/// Prints what a checkpoint of any kind holds: which networks, how completely they map, groups, values, and every
/// tensor with shape, dtype, norm and the number of values that are not finite (`with_values`; otherwise nothing but
/// names and shapes is read). One tensor in memory at a time. Returns the exit code.
int inspectCheckpoint(const std::string& path, bool with_values, bool is_json);

}  // namespace meanflow::app
