// SPDX-License-Identifier: Apache-2.0
#include "core/base/run/environment.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/utsname.h>

#include <chrono>
#include <ctime>
#include <nlohmann/json.hpp>
#include <thread>

#include "core/base/run/atomic_file.h"

namespace meanflow::base {

Result<void> writeEnvironment(const std::filesystem::path& path, const Environment& environment) {
  using Clock = std::chrono::system_clock;
  const double seconds = environment.unix_seconds > 0
                             ? environment.unix_seconds
                             : std::chrono::duration<double>(Clock::now().time_since_epoch()).count();
  nlohmann::ordered_json json;
  json["time"] = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(static_cast<std::time_t>(seconds)));
  json["unix_seconds"] = seconds;
  json["command_line"] = environment.command_line;
  json["versions"] = environment.versions;
  json["devices"] = environment.devices;
  json["num_cpu_cores"] = environment.num_cpu_cores > 0 ? environment.num_cpu_cores
                                                        : static_cast<int>(std::thread::hardware_concurrency());
  struct utsname system {};
  if (::uname(&system) == 0) {
    json["host"] = system.nodename;
    json["system"] = fmt::format("{} {} {}", system.sysname, system.release, system.machine);
  }
  json["compiler"] = __VERSION__;
  return writeFileAtomically(path, json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
}

}  // namespace meanflow::base
