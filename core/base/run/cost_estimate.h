// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <vector>

namespace meanflow::base {

/// What training is expected to take: the arithmetic of `meanflow cost` at a throughput.
struct CostEstimate {
  struct Stage {
    std::string stage;
    double device_hours = 0;
  };
  std::vector<Stage> stages;  ///< Empty when `missing` says why.
  std::string basis;          ///< "26.8 TFLOP/s, 40 % of an H100's dense peak at fp32".
  std::string missing;        ///< A sentence; empty when there is an estimate.

  /// Of one stage; negative when it is not known.
  double deviceHours(const std::string& stage) const {
    for (const auto& each : stages)
      if (each.stage == stage) return each.device_hours;
    return -1;
  }
};

}  // namespace meanflow::base
