// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/base/system/nvml.h"

namespace meanflow::base {

/// One look at machine and process. What cannot be read is absent.
struct SystemReading {
  double unix_seconds = 0;
  int num_cores = 0;
  std::optional<double> machine_cpu;  ///< Share of all cores at work since the reading before, 0 to 1.
  std::optional<double> process_cpu;  ///< Cores this process kept busy since then: 1.5 = one and a half.
  std::optional<std::int64_t> memory_total, memory_available, process_memory;  ///< Bytes; resident for the process.
  std::optional<std::int64_t> disk_total, disk_free;  ///< Bytes of the file system asked about, for unprivileged users.
  std::vector<GpuReading> gpus;
};

struct SystemProbeOptions {
  std::filesystem::path proc = "/proc";
  std::string nvml_library = Nvml::kLibrary;
};

/// Reads what the kernel and the GPU driver say: some tenths of a millisecond without GPUs, a few milliseconds with.
/// CPU shares are between two readings, so the first has none. One thread.
class SystemProbe {
 public:
  explicit SystemProbe(SystemProbeOptions options = {});

  /// `folder`: whose file system is asked about; empty: none.
  SystemReading read(const std::filesystem::path& folder);
  /// Why there are no GPUs in the readings; empty when there are.
  const std::string& gpuProblem() const { return gpu_problem_; }

 private:
  struct Ticks {
    std::uint64_t busy = 0, total = 0, process = 0;
    double seconds = 0;  ///< Of a clock that does not jump.
  };
  Ticks readTicks(int& num_cores) const;

  SystemProbeOptions options_;
  std::optional<Nvml> nvml_;
  std::string gpu_problem_;
  std::optional<Ticks> before_;
};

}  // namespace meanflow::base
