// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <vector>

#include "core/base/result.h"

namespace meanflow::app {

/// The schema as text: every key at or below `section` ("" = all) with type, default, range, unit and help. The error
/// names the nearest known key.
base::Result<std::string> schemaText(const std::string& section);
/// The same as a JSON array.
base::Result<std::string> schemaJson(const std::string& section);

/// What a person should know before training from a file of the reference repositories: that it was converted, and the
/// warnings of the conversion. Empty for anything else, and for what cannot be read (loading it will say why).
std::string officialNote(const std::string& path_or_preset, const std::vector<std::string>& overrides);

}  // namespace meanflow::app
