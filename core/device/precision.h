// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <ATen/Context.h>
#include <torch/types.h>

#include <string>

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

/// Matrix products in the configuration key `precision` while it lives: "tf32" lets them round on every device. One
/// switch for the process, so one training at a time; what comes after it gets back what was before.
class MatmulPrecision {
 public:
  explicit MatmulPrecision(const std::string& precision);
  ~MatmulPrecision();
  MatmulPrecision(const MatmulPrecision&) = delete;
  MatmulPrecision& operator=(const MatmulPrecision&) = delete;

 private:
  at::Float32MatmulPrecision before_;
};

}  // namespace meanflow::core
