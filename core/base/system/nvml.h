// SPDX-License-Identifier: Apache-2.0
//
// What the GPUs of this machine do, through NVIDIA's management library, which comes with the driver: it is opened at
// run time, so that nothing depends on it. Declarations are our own, few, and those of NVML's stable interface.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/result.h"

namespace meanflow::base {

/// One look at one GPU. What the device (or a slice of one) does not tell is absent.
struct GpuReading {
  std::string name;
  std::optional<double> utilisation;                      ///< Share of the last moment in which a kernel ran, 0 to 1.
  std::optional<std::int64_t> memory_used, memory_total;  ///< Bytes, of all processes.
  std::optional<double> power_watts, power_limit_watts;
  std::optional<double> temperature_celsius;
};

/// NVML, open. One thread at a time.
class Nvml {
 public:
  static constexpr const char* kLibrary = "libnvidia-ml.so.1";

  /// The error is a sentence that says why there is nothing to read: no driver, no device, no permission.
  static Result<Nvml> open(const std::string& library = kLibrary);
  ~Nvml();
  Nvml(Nvml&&) noexcept;
  Nvml& operator=(Nvml&&) noexcept;

  /// All devices in NVML's order. A device that fails to answer is there with its name alone.
  std::vector<GpuReading> read() const;

 private:
  struct Library;
  explicit Nvml(std::unique_ptr<Library> library);
  std::unique_ptr<Library> library_;
};

}  // namespace meanflow::base
