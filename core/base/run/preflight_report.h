// SPDX-License-Identifier: Apache-2.0
//
// What a pre-flight (a few dry steps of every stage, written nowhere) has found out about a configuration.
#pragma once
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace meanflow::base {

enum class PreflightOutcome {
  kMeasured,     ///< Trained for a few steps.
  kTaken,        ///< Not trained: its weights are there, or its encoder is a published one.
  kNotMeasured,  ///< Cannot be measured on its own (control, report), or the pre-flight ended before it.
  kRefused,      ///< Would fail; `note` says why.
};

/// One stage. Times and sizes are those of the whole run, worked out from what was measured.
struct PreflightStage {
  std::string stage;
  PreflightOutcome outcome = PreflightOutcome::kNotMeasured;
  std::string note;
  std::int64_t steps = 0;              ///< That are left to do.
  std::int64_t measured_steps = 0;     ///< Without the first one, which warms up.
  double seconds_per_step = 0;         ///< Median.
  double preparation_seconds = 0;      ///< Encoding the data, a bank of trajectories; scaled up from a part.
  std::int64_t num_parameters = 0;     ///< Trained ones.
  std::int64_t peak_memory_bytes = 0;  ///< What training added at most: of the GPU's allocator, or resident memory.
  std::int64_t checkpoint_bytes = 0;   ///< One checkpoint.
  std::int64_t checkpoints_kept = 0;

  double seconds() const {
    return outcome == PreflightOutcome::kMeasured ? preparation_seconds + seconds_per_step * static_cast<double>(steps)
                                                  : 0;
  }
  std::int64_t diskBytes() const { return checkpoint_bytes * checkpoints_kept; }
};

enum class PreflightSeverity { kGood, kNote, kRefusal };

/// One thing that was checked.
struct PreflightFinding {
  PreflightSeverity severity = PreflightSeverity::kGood;
  std::string topic;     ///< "data", "weights", "statistics", "batch", "disk", "memory", "settings", a stage's name.
  std::string sentence;  ///< With what to change, for a refusal.
  std::string key;       ///< The setting to look at; may be empty.
};

struct PreflightReport {
  std::string device;
  int num_workers = 1;
  std::vector<PreflightStage> stages;
  std::vector<PreflightFinding> findings;
  std::int64_t disk_free_bytes = -1;  ///< Where the run's folder would be; < 0: not known.
  std::int64_t memory_total_bytes = 0;
  double wall_seconds = 0;  ///< The pre-flight itself.
  bool is_cancelled = false;

  bool isRefused() const;
  double seconds() const;      ///< Of all measured stages.
  double deviceHours() const;  ///< seconds() on all workers.
  std::int64_t diskBytes() const;
  std::int64_t peakMemoryBytes() const;
};

std::string byteText(std::int64_t bytes);  ///< "3.64 MiB", "1.2 GiB".

/// Where a pre-flight is: "teacher", step 2 of 4.
struct PreflightProgress {
  std::string what;
  int done = 0, total = 0;
};

nlohmann::ordered_json toJson(const PreflightReport& report);
/// For a terminal; ends with a line break.
std::string toText(const PreflightReport& report);

std::string_view toString(PreflightOutcome outcome);    ///< "measured", "taken", "not_measured", "refused".
std::string_view toString(PreflightSeverity severity);  ///< "good", "note", "refusal".

}  // namespace meanflow::base
