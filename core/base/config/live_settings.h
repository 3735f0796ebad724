// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string_view>

namespace meanflow::base {

/// Whether a setting may change while a run is going (ChangeSetting): the learning rate, lengths and intervals of a
/// stage, the finite difference's step, what is watched. Everything else decides what is built at a start.
bool isLiveSetting(std::string_view key);

/// The stage whose training a live setting belongs to: "teacher" for "teacher.training.lr".
std::string_view stageOfSetting(std::string_view key);

}  // namespace meanflow::base
