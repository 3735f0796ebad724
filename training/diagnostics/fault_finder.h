// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "core/base/events/diagnostic_event.h"
#include "training/diagnostics/operation_trace.h"
#include "training/loop/checkpoint_store.h"
#include "training/stages/stage_task.h"
#include "training/workers/worker.h"

namespace meanflow::training {

/// What a second look at one step found.
struct FaultFinding {
  bool is_found = false;
  base::FaultOrigin origin;
  std::string text;  ///< In words, for a person.
  /// Operations of the suspected sample up to the first bad one, and as many of a sound pass to compare with.
  std::vector<TracedOperation> trace, reference;
  /// Mean squared error of every member of this rank's batch (the loss where the objective gives none).
  std::vector<double> sample_losses;
};

/// What the finder looks at.
struct FaultScene {
  StageTask& task;
  const TrainingState& state;  ///< Weights as they were when the step began; changed for a moment, then put back.
  const Worker& worker;
  std::int64_t step = 0;  ///< 0-based.
  std::string kind;       ///< "non_finite", or else what was finite: "explosion", "spike", "none".
  /// Learning rate of the step, and the median of those before it.
  double lr = 0, typical_lr = 0;
  /// Weights of the newest healthy checkpoint by parameter name; empty when there is none.
  NamedTensors healthy_weights;
};

/// Evaluates a bad step again with every operation watched and names what went wrong first: a weight, average or moment
/// that is not finite, a sample (each is evaluated on its own), then the first operation whose output is not finite or
/// many times as large as in a sound pass of the same sample. All ranks call it; each looks at its own samples, and all
/// get the finding of the rank that saw it, with that rank's number if it was alone.
FaultFinding findFault(const FaultScene& scene);

}  // namespace meanflow::training
