// SPDX-License-Identifier: Apache-2.0
#include "core/base/events/command_json.h"

#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>

namespace meanflow::base {
namespace {
constexpr std::array<std::string_view, std::variant_size_v<Command>> kNames = {"pause",   "resume", "stop",
                                                                               "discard", "save",   "change_setting"};
}

std::string_view commandName(const Command& command) { return kNames[command.index()]; }

std::string toJson(const Command& command) {
  nlohmann::ordered_json json;
  json["command"] = std::string(commandName(command));
  if (const auto* change = std::get_if<ChangeSetting>(&command)) json["key"] = change->key, json["value"] = change->value;
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

Result<Command> commandFromName(std::string_view name, std::string_view argument) {
  if (name == kNames[0]) return Command(Pause{});
  if (name == kNames[1]) return Command(Resume{});
  if (name == kNames[2]) return Command(StopAndSave{});
  if (name == kNames[3]) return Command(Discard{});
  if (name == kNames[4]) return Command(SaveNow{});
  if (name == kNames[5]) {
    const auto equals = argument.find('=');
    if (equals == std::string_view::npos || equals == 0)
      return Error{fmt::format("change_setting needs KEY=VALUE, got '{}'", argument), ErrorKind::kUsage};
    return Command(ChangeSetting{std::string(argument.substr(0, equals)), std::string(argument.substr(equals + 1))});
  }
  return Error{fmt::format("unknown command '{}'; known: {}", name, fmt::join(kNames, ", ")), ErrorKind::kUsage};
}

Result<Command> commandFromJson(std::string_view text) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (json.is_discarded() || !json.is_object() || !json.contains("command") || !json["command"].is_string())
    return Error{fmt::format("not a command: '{}'", text.substr(0, 80)), ErrorKind::kUsage};
  const auto name = json["command"].get<std::string>();
  if (name != kNames[5]) return commandFromName(name);
  if (!json.contains("key") || !json["key"].is_string() || !json.contains("value") || !json["value"].is_string())
    return Error{"change_setting needs the texts 'key' and 'value'", ErrorKind::kUsage};
  return Command(ChangeSetting{json["key"].get<std::string>(), json["value"].get<std::string>()});
}

}  // namespace meanflow::base
