// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <stop_token>
#include <string>

#include "core/base/config/run_config.h"
#include "core/base/run/preflight_report.h"

namespace meanflow::training {

struct PreflightOptions {
  std::string run_folder;  ///< Where the run would be: the free space of its disk is looked at. Empty = not.
  int num_steps = 3;       ///< Timed steps of a stage, after one that warms up.
  std::function<void(const base::PreflightProgress&)> progress;
  std::stop_token stop;  ///< Asked for: the step that is going on is finished, the report says what was measured.
};

/// Looks at a configuration before it is started: whether this version can train it, data, classes, named weights,
/// latent statistics, batches, stages that need others; then trains every stage for a few steps on a part of the data,
/// with networks of earlier stages at their start where nothing better is named, and works out time, memory and disk of
/// the whole run. Writes nothing but a temporary folder, which goes again. Never throws; what is wrong is in the
/// report.
base::PreflightReport runPreflight(const base::RunConfig& config, const PreflightOptions& options = {});

}  // namespace meanflow::training
