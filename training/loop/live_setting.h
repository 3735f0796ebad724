// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

#include "core/base/config/run_config.h"
#include "training/run/run_context.h"
#include "training/workers/worker.h"

namespace meanflow::training {

/// Makes the change that the leader has been told of in every rank's `config`; all ranks call it together after `step`
/// of `stage`. The leader writes the run's configuration and says so (SettingChanged), or logs why it was refused.
void changeLiveSetting(base::RunConfig& config, const Worker& worker, RunContext& run, const std::string& stage,
                       std::int64_t step);

/// Writes the run folder's config.yaml; what goes wrong is logged.
void writeRunConfig(const base::RunConfig& config, RunContext& run);

}  // namespace meanflow::training
