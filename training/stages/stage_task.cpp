// SPDX-License-Identifier: Apache-2.0
#include "training/stages/stage_task.h"

#include <stdexcept>

#include "training/stages/tasks.h"

namespace meanflow::training {

std::unique_ptr<StageTask> makeStageTask(const std::string& stage, Workspace& workspace) {
  if (stage == "encoder") return makeEncoderTask(workspace);
  if (stage == "decoder") return makeDecoderTask(workspace);
  if (stage == "teacher") return makeTeacherTask(workspace);
  if (stage == "cmt") return makeCmtTask(workspace);
  if (stage == "control") return makeControlTask(workspace);
  if (stage == "mean_flow") return makeMeanFlowTask(workspace);
  throw std::invalid_argument("unknown stage '" + stage + "'");
}

std::uint64_t stageSeed(std::uint64_t run_seed, const std::string& stage) {
  // FNV-1a of the name: stable across compilers, unlike std::hash.
  std::uint64_t hash = 1469598103934665603ull;
  for (const char c : stage) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ull;
  return run_seed * 0x9E3779B97F4A7C15ull + hash;
}

}  // namespace meanflow::training
