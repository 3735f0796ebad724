// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <string>

#include "core/base/config/run_config.h"

namespace meanflow::training {

/// Optimizer steps that the configuration plans for a stage; 1 for the report.
inline std::int64_t plannedSteps(const base::RunConfig& config, const std::string& stage) {
  if (stage == "encoder") return config.encoder.training.steps;
  if (stage == "decoder") return config.decoder.training.steps;
  if (stage == "teacher") return config.teacher.training.steps;
  if (stage == "cmt" || stage == "control") return config.cmt.training.steps;
  if (stage == "mean_flow") return config.mean_flow.training.steps;
  return 1;
}

}  // namespace meanflow::training
