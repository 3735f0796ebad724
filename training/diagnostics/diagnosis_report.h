// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "core/base/config/run_config.h"
#include "core/base/result.h"
#include "training/diagnostics/fault_finder.h"
#include "training/diagnostics/flight_recorder.h"

namespace meanflow::training {

/// All that goes into the report on a bad step.
struct DiagnosisInput {
  std::string run_name;
  base::AlarmRaised alarm;
  const FaultFinding& finding;
  const FlightRecorder& recorder;
  std::string recorder_text;  ///< FlightRecorder::text.
  std::vector<std::string> block_names;
  std::string replay_words;  ///< How exact the second look was.
  const base::RunConfig& config;
};

/// Writes `folder` anew: report.md (in words, with the pictures), diagnosis.json ({kind, step, tensor, block,
/// operation, sample, rank, ...} for programs), flight_recorder.jsonl, trace.csv, config.yaml, steps.svg and
/// blocks.svg: one folder to attach to a bug report.
base::Result<void> writeDiagnosis(const std::filesystem::path& folder, const DiagnosisInput& input);

/// What a person can do about an alarm of this kind and origin: one or two sentences.
std::string adviceFor(const base::AlarmRaised& alarm, const base::FaultOrigin& origin);

}  // namespace meanflow::training
