// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>

#include "core/base/result.h"
#include "training/optim/named_tensors.h"

namespace meanflow::training {

struct AdamWOptions {
  double beta1 = 0.9, beta2 = 0.95;
  double eps = 1e-8;
  double weight_decay = 0;  ///< Decoupled: p *= 1 - lr * weight_decay before the update.
};

/// AdamW (arXiv:1711.05101) with torch.optim.AdamW's numbers, one fused call for all parameters. A parameter without a
/// gradient (frozen) is skipped altogether, weight decay included.
class AdamW {
 public:
  AdamW(NamedTensors parameters, AdamWOptions options);

  /// One update with learning rate `lr` from the parameters' .grad(). With `is_bad`, a bool scalar on the parameters'
  /// device, the device itself decides: where it is true nothing changes, step counts included; nobody waits for it.
  void step(double lr, const torch::Tensor& is_bad = {});
  /// Zeroes gradients in place: buckets that share their memory stay valid.
  void zeroGrad();

  const NamedTensors& parameters() const { return parameters_; }
  const AdamWOptions& options() const { return options_; }

  /// Moments and step counts as `NAME.exp_avg`, `NAME.exp_avg_sq`, `NAME.step` (float32 scalar), sharing memory with
  /// the optimiser. Loading them continues bit-exactly.
  NamedTensors state() const;
  /// Copies a state in; an error names the first tensor that is missing or of another shape, and then nothing was
  /// changed.
  base::Result<void> loadState(const NamedTensors& state);

 private:
  NamedTensors parameters_;
  AdamWOptions options_;
  std::vector<torch::Tensor> exp_avg_, exp_avg_sq_,
      step_;  ///< One each per parameter that wants a gradient, else undefined.
};

}  // namespace meanflow::training
