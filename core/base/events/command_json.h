// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <string_view>

#include "core/base/events/command.h"
#include "core/base/result.h"

namespace meanflow::base {

/// {"command":"pause"}, {"command":"change_setting","key":"cmt.training.lr","value":"1e-4"}
std::string toJson(const Command& command);
/// The error (kUsage) lists the known commands when the name is unknown.
Result<Command> commandFromJson(std::string_view text);

/// A command by name, as the command line gives it: pause, resume, stop, discard, save, or change_setting KEY=VALUE.
Result<Command> commandFromName(std::string_view name, std::string_view argument = {});
std::string_view commandName(const Command& command);

}  // namespace meanflow::base
