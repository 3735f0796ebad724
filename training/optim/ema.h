// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "core/base/result.h"
#include "training/optim/named_tensors.h"

namespace meanflow::training {

/// Exponential moving average of named parameters (buffers are not averaged): ema <- d ema + (1 - d) p. Starts as a
/// copy.
class Ema {
 public:
  explicit Ema(NamedTensors parameters);
  void update(double decay);

  /// The averages by parameter name; share memory with this object.
  const NamedTensors& averages() const { return averages_; }
  /// Copies averages in (resume); an error names the first tensor that is missing or of another shape.
  base::Result<void> load(const NamedTensors& averages);
  /// Writes the averages into the same-named parameters of `module`. Throws c10::Error when one is missing.
  void copyTo(torch::nn::Module& module) const;

 private:
  NamedTensors parameters_, averages_;
};

}  // namespace meanflow::training
