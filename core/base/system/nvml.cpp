// SPDX-License-Identifier: Apache-2.0
#include "core/base/system/nvml.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <array>
#include <utility>

namespace meanflow::base {
namespace {

// nvml.h of the driver: return codes, structures and functions used here. All have been stable since NVML 4.
using Device = void*;
constexpr int kSuccess = 0;
constexpr int kTemperatureOfGpu = 0;

std::string openError() {
  const char* text = ::dlerror();
  return text ? text : "unknown error";
}

}  // namespace

struct Nvml::Library {
  struct Utilization {
    unsigned int gpu, memory;  // per cent
  };
  struct Memory {
    unsigned long long total, free, used;  // bytes
  };
  void* handle = nullptr;
  bool is_initialised = false;
  int (*init)() = nullptr;
  int (*shutdown)() = nullptr;
  const char* (*error_string)(int) = nullptr;
  int (*count)(unsigned int*) = nullptr;
  int (*by_index)(unsigned int, Device*) = nullptr;
  int (*name)(Device, char*, unsigned int) = nullptr;
  int (*utilization)(Device, Utilization*) = nullptr;
  int (*memory)(Device, Memory*) = nullptr;
  int (*power)(Device, unsigned int*) = nullptr;        // milliwatts
  int (*power_limit)(Device, unsigned int*) = nullptr;  // milliwatts
  int (*temperature)(Device, int, unsigned int*) = nullptr;
  std::vector<Device> devices;

  Library() = default;
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;
  ~Library() {
    if (is_initialised) shutdown();
    if (handle) ::dlclose(handle);
  }

  template <class Function>
  bool load(Function& function, const char* symbol) {
    function = reinterpret_cast<Function>(::dlsym(handle, symbol));
    return function != nullptr;
  }
  std::string why(int code) const {
    const char* text = error_string ? error_string(code) : nullptr;
    return text ? text : fmt::format("code {}", code);
  }
};

Nvml::Nvml(std::unique_ptr<Library> library) : library_(std::move(library)) {}
Nvml::~Nvml() = default;
Nvml::Nvml(Nvml&&) noexcept = default;
Nvml& Nvml::operator=(Nvml&&) noexcept = default;

Result<Nvml> Nvml::open(const std::string& name) {
  auto library = std::make_unique<Library>();
  library->handle = ::dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library->handle)
    return Error{
        fmt::format("No NVIDIA driver was found on this machine, so there are no figures of GPUs ({}).", openError())};
  auto& l = *library;
  const bool is_complete = l.load(l.init, "nvmlInit_v2") && l.load(l.shutdown, "nvmlShutdown") &&
                           l.load(l.count, "nvmlDeviceGetCount_v2") &&
                           l.load(l.by_index, "nvmlDeviceGetHandleByIndex_v2");
  if (!is_complete)
    return Error{fmt::format("{} lacks functions that every NVML has had for years; update the NVIDIA driver.", name)};
  // Figures that an old or reduced library does not offer are left out.
  l.load(l.error_string, "nvmlErrorString");
  l.load(l.name, "nvmlDeviceGetName");
  l.load(l.utilization, "nvmlDeviceGetUtilizationRates");
  l.load(l.memory, "nvmlDeviceGetMemoryInfo");
  l.load(l.power, "nvmlDeviceGetPowerUsage");
  l.load(l.power_limit, "nvmlDeviceGetEnforcedPowerLimit");
  l.load(l.temperature, "nvmlDeviceGetTemperature");
  if (const int code = l.init(); code != kSuccess)
    return Error{fmt::format("The NVIDIA driver does not answer: {}.", l.why(code))};
  l.is_initialised = true;
  unsigned int count = 0;
  if (const int code = l.count(&count); code != kSuccess)
    return Error{fmt::format("The NVIDIA driver does not say which GPUs there are: {}.", l.why(code))};
  for (unsigned int i = 0; i < count; ++i) {
    Device device = nullptr;
    if (l.by_index(i, &device) == kSuccess) l.devices.push_back(device);
  }
  if (l.devices.empty())
    return Error{
        "An NVIDIA driver is there, but no GPU that this process may see (check CUDA_VISIBLE_DEVICES and the "
        "permissions of /dev/nvidia*)."};
  return Nvml(std::move(library));
}

std::vector<GpuReading> Nvml::read() const {
  const auto& l = *library_;
  std::vector<GpuReading> readings;
  for (const Device device : l.devices) {
    GpuReading reading;
    std::array<char, 96> name{};
    if (l.name && l.name(device, name.data(), static_cast<unsigned int>(name.size() - 1)) == kSuccess)
      reading.name = name.data();
    Library::Utilization utilization{};
    if (l.utilization && l.utilization(device, &utilization) == kSuccess) reading.utilisation = 0.01 * utilization.gpu;
    Library::Memory memory{};
    if (l.memory && l.memory(device, &memory) == kSuccess) {
      reading.memory_used = static_cast<std::int64_t>(memory.used);
      reading.memory_total = static_cast<std::int64_t>(memory.total);
    }
    unsigned int value = 0;
    if (l.power && l.power(device, &value) == kSuccess) reading.power_watts = 1e-3 * value;
    if (l.power_limit && l.power_limit(device, &value) == kSuccess) reading.power_limit_watts = 1e-3 * value;
    if (l.temperature && l.temperature(device, kTemperatureOfGpu, &value) == kSuccess)
      reading.temperature_celsius = value;
    readings.push_back(std::move(reading));
  }
  return readings;
}

}  // namespace meanflow::base
