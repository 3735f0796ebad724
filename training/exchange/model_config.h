// SPDX-License-Identifier: Apache-2.0
//
// Between a recognised network and the sections of a run's configuration.
#pragma once
#include <set>
#include <string>
#include <vector>

#include "core/base/config/run_config.h"
#include "core/base/result.h"
#include "core/checkpoint/recognised_model.h"

namespace meanflow::training {

/// What a configuration tells of a network beyond its tensors: heads and depths where its widths are the network's, or
/// where `overrides` ("teacher.model.num_heads=6,16") name them.
core::KnownSizes knownSizes(const base::RunConfig& config, const std::vector<std::string>& overrides,
                            const core::RecognisedModel& model);

/// The key a person has to give for a size of `model` that is not known: "teacher.model.num_heads".
std::string keyOf(const std::string& size, const core::RecognisedModel& model);

/// What the latents of a run depend on: which stages it holds already.
struct HeldStages {
  std::set<std::string> names;  ///< "encoder", ..., "statistics"
  bool is_draft = false;        ///< Named by settings that are being prepared, rather than there in a run folder.
  bool has(const std::string& name) const { return names.contains(name); }
};

/// Writes the sizes of `model` into the sections that describe `stage`, and makes image size, encoder input and patches
/// give its latents. What was assumed for that is added to `assumed`. Errors: sizes that a configuration cannot say,
/// and sizes that contradict what the run already holds (naming key, both values and the stage).
base::Result<void> describeInConfig(base::RunConfig& config, const std::string& stage,
                                    const core::RecognisedModel& model, const HeldStages& held,
                                    std::vector<std::string>& assumed);

}  // namespace meanflow::training
