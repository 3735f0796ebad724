// SPDX-License-Identifier: Apache-2.0
#include "core/base/system/system_probe.h"

#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <sstream>

namespace meanflow::base {
namespace {

/// The value in kB of a line "Name:   1234 kB", in bytes.
std::optional<std::int64_t> kilobytes(const std::filesystem::path& path, const std::string& name) {
  std::ifstream file(path);
  std::string line;
  while (std::getline(file, line)) {
    if (!line.starts_with(name + ":")) continue;
    std::istringstream rest(line.substr(name.size() + 1));
    std::int64_t value = 0;
    if (rest >> value) return value * 1024;
  }
  return std::nullopt;
}

}  // namespace

SystemProbe::SystemProbe(SystemProbeOptions options) : options_(std::move(options)) {
  auto opened = Nvml::open(options_.nvml_library);
  if (opened)
    nvml_ = std::move(*opened);
  else
    gpu_problem_ = opened.error().message;
}

SystemProbe::Ticks SystemProbe::readTicks(int& num_cores) const {
  Ticks ticks;
  ticks.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  num_cores = 0;
  std::ifstream stat(options_.proc / "stat");
  std::string line;
  while (std::getline(stat, line) && line.starts_with("cpu")) {
    std::istringstream words(line);
    std::string name;
    words >> name;
    if (name != "cpu") {
      ++num_cores;
      continue;
    }
    // user nice system idle iowait irq softirq steal; guest time is counted in user already.
    std::uint64_t value = 0;
    for (int i = 0; i < 8 && words >> value; ++i) {
      ticks.total += value;
      if (i != 3 && i != 4) ticks.busy += value;
    }
  }
  std::ifstream self(options_.proc / "self" / "stat");
  std::getline(self, line);
  // The name of the program, in brackets, may hold blanks: fields are counted from behind it.
  const auto behind = line.rfind(')');
  if (!self || behind == std::string::npos) return ticks;
  std::istringstream words(line.substr(behind + 1));
  std::string word;
  for (int i = 3; i <= 15 && words >> word; ++i)
    if (i == 14 || i == 15) ticks.process += std::strtoull(word.c_str(), nullptr, 10);
  return ticks;
}

SystemReading SystemProbe::read(const std::filesystem::path& folder) {
  SystemReading reading;
  reading.unix_seconds = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  const Ticks now = readTicks(reading.num_cores);
  if (before_ && now.total > before_->total) {
    reading.machine_cpu = std::clamp(static_cast<double>(now.busy - std::min(now.busy, before_->busy)) /
                                         static_cast<double>(now.total - before_->total),
                                     0.0, 1.0);
  }
  if (before_ && now.seconds > before_->seconds && now.process >= before_->process && now.process > 0) {
    reading.process_cpu = static_cast<double>(now.process - before_->process) /
                          static_cast<double>(::sysconf(_SC_CLK_TCK)) / (now.seconds - before_->seconds);
  }
  before_ = now;
  reading.memory_total = kilobytes(options_.proc / "meminfo", "MemTotal");
  reading.memory_available = kilobytes(options_.proc / "meminfo", "MemAvailable");
  reading.process_memory = kilobytes(options_.proc / "self" / "status", "VmRSS");
  struct statvfs disk {};
  if (!folder.empty() && ::statvfs(folder.c_str(), &disk) == 0) {
    reading.disk_total = static_cast<std::int64_t>(disk.f_blocks) * static_cast<std::int64_t>(disk.f_frsize);
    reading.disk_free = static_cast<std::int64_t>(disk.f_bavail) * static_cast<std::int64_t>(disk.f_frsize);
  }
  if (nvml_) reading.gpus = nvml_->read();
  return reading;
}

}  // namespace meanflow::base
