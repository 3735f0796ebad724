// SPDX-License-Identifier: Apache-2.0
#include "core/cost/memory_estimate.h"

namespace meanflow::core {

MemoryEstimate estimateMemory(const MemorySetting& setting) {
  constexpr double kFloat32 = 4, kBfloat16 = 2;
  const double P = setting.trained.parameters, trained = P - setting.trained.frozen;
  return {
      .weights = kFloat32 * P,
      .frozen_weights = kFloat32 * setting.frozen_parameters,
      .gradients = kFloat32 * trained,
      .moments = 2 * kFloat32 * trained,
      .average = setting.has_ema ? kFloat32 * P : 0,
      .activations = (setting.is_bf16 ? kBfloat16 : kFloat32) * setting.trained.kept_values * setting.samples_in_graph};
}

}  // namespace meanflow::core
