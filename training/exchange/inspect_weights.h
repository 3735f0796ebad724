// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "core/base/config/run_config.h"
#include "core/base/run/checkpoint_finding.h"

namespace meanflow::training {

/// Whether `source` may stand in for `stage` of `config`: what it is, how completely it maps, which other settings have
/// to change with it. By the rules of `meanflow import`, whose sentence is the refusal; nothing is written, and of the
/// tensors only latent statistics are read.
base::CheckpointFinding inspectWeights(const base::RunConfig& config, const std::string& stage,
                                       const std::string& source);
/// The same for a configuration as YAML text.
base::CheckpointFinding inspectWeights(const base::CheckpointQuestion& question);

}  // namespace meanflow::training
