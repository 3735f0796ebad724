// SPDX-License-Identifier: Apache-2.0
#include "core/device/device.h"

#include <ATen/Context.h>
#include <dlfcn.h>
#include <malloc.h>
#include <time.h>

#include <filesystem>
#include <mutex>
#include <stdexcept>

namespace meanflow::core {
namespace {

double clockSeconds(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

bool hasNvidiaDriver() {
  std::error_code ignored;
  return std::filesystem::exists("/dev/nvidiactl", ignored) ||
         std::filesystem::exists("/proc/driver/nvidia", ignored) ||
         std::filesystem::exists("/dev/dxg", ignored);  // WSL
}

}  // namespace

void initialiseTorch() {
  static std::once_flag once;
  std::call_once(once, [] {
    mallopt(M_MMAP_THRESHOLD, 1 << 30);
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
    mallopt(M_TOP_PAD, 64 << 20);
    // Its static initialisers register the CUDA kernels; RTLD_GLOBAL as Python's import does it.
    if (hasNvidiaDriver()) dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL);
  });
}

torch::Device resolveDevice(const std::string& name) {
  const bool has_cuda = at::globalContext().hasCUDA();
  if (name == "cpu") return torch::kCPU;
  if (name == "auto") return has_cuda ? torch::Device(torch::kCUDA, 0) : torch::Device(torch::kCPU);
  if (name.rfind("cuda", 0) != 0)
    throw std::runtime_error("device '" + name + "' is unknown; use auto, cpu, cuda or cuda:N");
  if (!has_cuda)
    throw std::runtime_error(
        "device '" + name +
        "' was asked for, but LibTorch sees no GPU here; check nvidia-smi and the driver, or use --device cpu");
  return torch::Device(name == "cuda" ? "cuda:0" : name);
}

double threadCpuSeconds() { return clockSeconds(CLOCK_THREAD_CPUTIME_ID); }
double processCpuSeconds() { return clockSeconds(CLOCK_PROCESS_CPUTIME_ID); }

}  // namespace meanflow::core
