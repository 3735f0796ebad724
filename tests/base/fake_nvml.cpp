// SPDX-License-Identifier: Apache-2.0
//
// A stand-in for the GPU driver's libnvidia-ml.so.1: two devices, the second of which tells little. NVML_FAKE_FAIL=init
// or =none makes it one that does not answer, or that has no device.
#include <cstdlib>
#include <cstring>

namespace {
bool asksFor(const char* what) {
  const char* fail = std::getenv("NVML_FAKE_FAIL");
  return fail && std::strcmp(fail, what) == 0;
}
int devices[2];
bool isSecond(const void* device) { return device == &devices[1]; }
constexpr int kDone = 0, kNotSupported = 3;
}  // namespace

extern "C" {
int nvmlInit_v2() { return asksFor("init") ? 9 : kDone; }
int nvmlShutdown() { return kDone; }
const char* nvmlErrorString(int code) { return code == 9 ? "Driver Not Loaded" : "Some Error"; }
int nvmlDeviceGetCount_v2(unsigned int* count) { return *count = asksFor("none") ? 0 : 2, kDone; }
int nvmlDeviceGetHandleByIndex_v2(unsigned int index, void** device) { return *device = &devices[index], kDone; }
int nvmlDeviceGetName(void* device, char* name, unsigned int length) {
  std::strncpy(name, isSecond(device) ? "Slice" : "Made-up GPU", length);
  return kDone;
}
int nvmlDeviceGetUtilizationRates(void* device, unsigned int* rates) {
  if (isSecond(device)) return kNotSupported;
  rates[0] = 93, rates[1] = 40;
  return kDone;
}
int nvmlDeviceGetMemoryInfo(void* device, unsigned long long* memory) {
  memory[0] = 80ULL << 30, memory[2] = isSecond(device) ? 1ULL << 30 : 41ULL << 30;
  memory[1] = memory[0] - memory[2];
  return kDone;
}
int nvmlDeviceGetPowerUsage(void* device, unsigned int* milliwatts) {
  return *milliwatts = 512'300, isSecond(device) ? kNotSupported : kDone;
}
int nvmlDeviceGetEnforcedPowerLimit(void* device, unsigned int* milliwatts) {
  return *milliwatts = 700'000, isSecond(device) ? kNotSupported : kDone;
}
int nvmlDeviceGetTemperature(void* device, int sensor, unsigned int* celsius) {
  return *celsius = 61, sensor != 0 || isSecond(device) ? kNotSupported : kDone;
}
}
