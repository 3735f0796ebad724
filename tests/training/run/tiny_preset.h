// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <string>

namespace meanflow::testing {

inline constexpr int kTinyClasses = 3;

/// Writes a few 16x16 pictures of three kinds and a pipeline small enough to train in a second or two, and returns the
/// path of its YAML file. `more` is put at the end of the text.
std::string writeTinyPreset(const std::filesystem::path& folder, const std::string& more = {});

}  // namespace meanflow::testing
