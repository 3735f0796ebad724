// SPDX-License-Identifier: Apache-2.0
//
// The part of a pre-flight that needs no training step. Every function adds to the findings of a report; a refusal says
// what to change.
#pragma once
#include <string>

#include "core/base/config/run_config.h"
#include "core/base/run/preflight_report.h"
#include "core/base/run/run_folder.h"
#include "core/data/dataset.h"

namespace meanflow::training {

const base::TrainingConfig* trainingOf(const base::RunConfig& config, const std::string& stage);

/// Stages that need networks which nobody trains before them, nobody names and the run's folder, where there is one
/// already, does not hold.
void checkOrder(const base::RunConfig& config, const base::RunFolder* folder, base::PreflightReport& report);
/// data.num_classes and the label tables of named weights against the data.
void checkClasses(const base::RunConfig& config, std::int64_t num_classes, base::PreflightReport& report);
/// Named weights: what they are, whether they map and load completely.
void checkWeights(const base::RunConfig& config, std::int64_t num_classes, base::PreflightReport& report);
/// decoder.statistics against the encoder's channels and side.
void checkStatistics(const base::RunConfig& config, base::PreflightReport& report);
/// Batches against the number of images, of workers and of micro-batches.
void checkBatches(const base::RunConfig& config, std::int64_t num_images, int num_workers,
                  base::PreflightReport& report);
/// Checkpoints against the free space under `run_folder`; sets report.disk_free_bytes.
void checkDisk(const std::string& run_folder, base::PreflightReport& report);

}  // namespace meanflow::training
