// SPDX-License-Identifier: Apache-2.0
#include "training/report/sample_rows.h"

#include "training/stages/external_weights.h"

namespace meanflow::training {

std::vector<SampleRow> sampleRows(const base::RunConfig& config, const base::RunFolder& folder) {
  std::vector<SampleRow> rows;
  const auto& evaluation = config.evaluation;
  const auto add = [&](const std::string& weights, const std::string& stage,
                       std::initializer_list<std::int64_t> steps) {
    if (!hasWeights(config, folder, stage)) return;
    for (const auto nfe : steps)
      rows.push_back({weights + "_" + std::to_string(nfe), weights, stage, nfe, {}, evaluation.num_samples});
  };
  add("cmt", "cmt", {1, 2});
  add("student", "mean_flow", {1, 2, 4});
  add("control", "control", {1, 2});
  add("teacher", "teacher", {evaluation.teacher_steps});
  if (hasWeights(config, folder, "teacher") && evaluation.guidance.scale != 1)
    rows.push_back({"teacher_" + std::to_string(evaluation.teacher_steps) + "_guided", "teacher", "teacher",
                    evaluation.teacher_steps, evaluation.guidance, evaluation.num_samples});
  if (evaluation.teacher_samples > 0)
    for (auto& row : rows)
      if (row.weights == "teacher") row.num_samples = evaluation.teacher_samples;
  return rows;
}

}  // namespace meanflow::training
