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

void TrainingHost::inspectCheckpoint(const CheckpointQuestion& question,
                                     std::function<void(const CheckpointFinding&)> deliver) {
  CheckpointFinding finding;
  finding.stage = question.stage;
  finding.source = question.source;
  finding.key = checkpointKey(question.stage);
  finding.refusal = kCannot;
  deliver(finding);
}

void TrainingHost::browseData(const DataQuestion& question, std::function<void(const DataAnswer&)> deliver) {
  DataAnswer answer;
  answer.label = question.label;
  answer.first = question.first;
  answer.is_held_out = question.is_held_out;
  answer.error = kCannot;
  deliver(answer);
}

Result<void> TrainingHost::startPreflight(const PreflightRequest&, std::function<void(const PreflightNews&)>) {
  return Error{kCannot};
}

Result<void> TrainingHost::startReplay(const BranchPoint&, std::function<void(const ReplayOutcome&)>) {
  return Error{kCannot};
}

}  // namespace meanflow::base
