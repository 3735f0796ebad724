// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <stop_token>

#include "core/base/events/diagnostic_event.h"
#include "core/base/result.h"
#include "core/base/run/training_host.h"

namespace meanflow::training {

/// Exact replay on demand: restores the checkpoint before `at.step` of the run in a folder beside it, trains as the run
/// did, holds the losses against the recorded ones, and evaluates the step itself with every operation watched. Writes
/// STAGE/diagnostics/step_N_replay into the run's folder and returns what was found (`report` is that folder,
/// absolute). The run itself is only read otherwise. On a CPU, at the same number of workers, the losses come back to
/// the bit. Errors: as createBranch; step 0; a run that fails on the way; a stop that was asked for.
base::Result<base::DiagnosisReady> replayStep(const base::BranchPoint& at, const std::stop_token& stop = {});

}  // namespace meanflow::training
