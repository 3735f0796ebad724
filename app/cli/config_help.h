// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

#include "core/base/result.h"

namespace meanflow::app {

/// The schema as text: every key at or below `section` ("" = all) with type, default, range, unit and help. The error names
/// the nearest known key.
base::Result<std::string> schemaText(const std::string& section);
/// The same as a JSON array.
base::Result<std::string> schemaJson(const std::string& section);

}  // namespace meanflow::app
