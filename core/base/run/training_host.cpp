// SPDX-License-Identifier: Apache-2.0
#include "core/base/run/training_host.h"

namespace meanflow::base {
namespace {
constexpr const char* kCannot = "this training library cannot do that";
}

void TrainingHost::estimateCost(const std::string&, const std::string&,
                                std::function<void(const CostEstimate&)> deliver) {
  CostEstimate estimate;
  estimate.missing = kCannot;
  deliver(estimate);
}

}  // namespace meanflow::base
