// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <torch/types.h>

namespace meanflow::core {

/// Arithmetic of networks.
enum class Precision {
  kFp32,
  kFp64,  ///< Weights and inputs are float64; there is nothing to switch.
  kTf32,  ///< float32 whose matrix products and convolutions may round their inputs to 10 bits (CUDA; no effect on a
          ///< CPU).
  kBf16,  ///< float32 weights under autocast to bfloat16.
};

/// Switches the arithmetic while it lives. Autocast belongs to the thread; TF32 is one switch for the process.
class PrecisionScope {
 public:
  PrecisionScope(Precision precision, torch::DeviceType device);
  ~PrecisionScope();
  PrecisionScope(const PrecisionScope&) = delete;
  PrecisionScope& operator=(const PrecisionScope&) = delete;

 private:
  torch::DeviceType device_;
  bool is_autocast_ = false, is_tf32_ = false, was_autocast_ = false;
  torch::ScalarType autocast_dtype_before_ = torch::kBFloat16;
};

}  // namespace meanflow::core
