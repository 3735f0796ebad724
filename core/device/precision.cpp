// SPDX-License-Identifier: Apache-2.0
#include "core/device/precision.h"

#include <ATen/autocast_mode.h>

#include <mutex>

namespace meanflow::core {
namespace {

/// Scopes of several threads share the process's TF32 switch: on while at least one asks for it.
struct SharedTf32 {
  std::mutex mutex;
  int num_users = 0;
  bool matmul_before = false, convolution_before = false;
};
SharedTf32& sharedTf32() {
  static SharedTf32 state;
  return state;
}

}  // namespace

PrecisionScope::PrecisionScope(Precision precision, torch::DeviceType device)
    : device_(device), is_autocast_(precision == Precision::kBf16) {
  if (is_autocast_) {
    was_autocast_ = at::autocast::is_autocast_enabled(device_);
    autocast_dtype_before_ = at::autocast::get_autocast_dtype(device_);
    at::autocast::set_autocast_enabled(device_, true);
    at::autocast::set_autocast_dtype(device_, torch::kBFloat16);
    at::autocast::increment_nesting();
  }
  if (precision == Precision::kTf32) {
    is_tf32_ = true;
    auto& shared = sharedTf32();
    const std::lock_guard lock(shared.mutex);
    if (shared.num_users++ > 0) return;
    auto& context = at::globalContext();
    shared.matmul_before = context.allowTF32CuBLAS();
    shared.convolution_before = context.allowTF32CuDNN();
    context.setAllowTF32CuBLAS(true);
    context.setAllowTF32CuDNN(true);
  }
}

PrecisionScope::~PrecisionScope() {
  if (is_autocast_) {
    if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
    at::autocast::set_autocast_enabled(device_, was_autocast_);
    at::autocast::set_autocast_dtype(device_, autocast_dtype_before_);
  }
  if (is_tf32_) {
    auto& shared = sharedTf32();
    const std::lock_guard lock(shared.mutex);
    if (--shared.num_users > 0) return;
    at::globalContext().setAllowTF32CuBLAS(shared.matmul_before);
    at::globalContext().setAllowTF32CuDNN(shared.convolution_before);
  }
}

MatmulPrecision::MatmulPrecision(const std::string& precision) : before_(at::globalContext().float32MatmulPrecision()) {
  if (precision == "tf32") at::globalContext().setFloat32MatmulPrecision("high");
}

MatmulPrecision::~MatmulPrecision() {
  const char* names[] = {"highest", "high", "medium"};
  at::globalContext().setFloat32MatmulPrecision(names[static_cast<std::size_t>(before_)]);
}

}  // namespace meanflow::core
