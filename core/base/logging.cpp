// SPDX-License-Identifier: Apache-2.0
#include "core/base/logging.h"

#include <fmt/format.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

namespace meanflow::base {

bool isColourWanted() {
  const char* no_color = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  return ::isatty(STDERR_FILENO) != 0 && (no_color == nullptr || *no_color == '\0') &&
         (term == nullptr || std::strcmp(term, "dumb") != 0);
}

Result<void> setUpLogging(const std::string& level) {
  const auto parsed = spdlog::level::from_str(level);
  if (parsed == spdlog::level::off && level != "off")
    return Error{fmt::format("unknown log level '{}'; known: error, warn, info, debug, trace, off", level),
                 ErrorKind::kUsage};
  const auto sink = std::make_shared<spdlog::sinks::stderr_color_sink_mt>(isColourWanted() ? spdlog::color_mode::always
                                                                                           : spdlog::color_mode::never);
  sink->set_pattern("%^%l%$: %v");
  const auto logger = std::make_shared<spdlog::logger>("meanflow", sink);
  logger->set_level(parsed);
  logger->flush_on(spdlog::level::warn);
  spdlog::set_default_logger(logger);
  return {};
}

Result<void> addLogFile(const std::filesystem::path& path) {
  try {
    const auto sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(path.string(), false);
    sink->set_pattern("%Y-%m-%d %H:%M:%S.%e %l: %v");
    // spdlog's list of sinks is not guarded: put a new logger in the old one's place instead of changing it.
    const auto old = spdlog::default_logger();
    auto sinks = old->sinks();
    sinks.push_back(sink);
    const auto logger = std::make_shared<spdlog::logger>("meanflow", sinks.begin(), sinks.end());
    logger->set_level(old->level());
    logger->flush_on(spdlog::level::warn);
    spdlog::set_default_logger(logger);
    return {};
  } catch (const spdlog::spdlog_ex& e) {
    return Error{fmt::format("{}: cannot log to it: {}", path.string(), e.what())};
  }
}

}  // namespace meanflow::base
