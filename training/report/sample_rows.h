// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <vector>

#include "core/base/config/run_config.h"
#include "core/base/run/run_folder.h"

namespace meanflow::training {

/// One way of making images that the report compares.
struct SampleRow {
  std::string key;       ///< As in report.json: cmt_1, student_2, teacher_50_guided.
  std::string weights;   ///< "cmt", "student", "control" or "teacher".
  std::string stage;     ///< Stage whose averages are used.
  std::int64_t nfe = 1;  ///< Steps (a guided teacher evaluates twice a step).
  base::GuidanceConfig guidance;
  std::int64_t num_samples = 0;
};

/// The rows a run can fill: those whose stages have a checkpoint. `student` is mean_flow.
std::vector<SampleRow> sampleRows(const base::RunConfig& config, const base::RunFolder& folder);

}  // namespace meanflow::training
