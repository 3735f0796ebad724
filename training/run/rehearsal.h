// SPDX-License-Identifier: Apache-2.0
//
// Training steps of a stage that no run is made of: for pre-flights and for measuring what a step costs.
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "core/base/config/run_config.h"
#include "core/base/events/fan_out_sink.h"
#include "core/base/run/run_folder.h"
#include "core/data/dataset.h"
#include "training/loop/step_loop.h"

namespace meanflow::training {

/// A run folder that goes with this object.
class TemporaryRun {
 public:
  explicit TemporaryRun(const base::RunConfig& config);  ///< Throws std::runtime_error where it cannot be made.
  ~TemporaryRun();
  TemporaryRun(const TemporaryRun&) = delete;
  TemporaryRun& operator=(const TemporaryRun&) = delete;
  const base::RunFolder& folder() const { return *folder_; }

 private:
  void remove() const;
  std::filesystem::path path_;
  std::optional<base::RunFolder> folder_;
};

/// Every k-th training image, so that each class has its share: at most `count`.
core::ImageDataset partOfData(const core::ImageDataset& data, std::int64_t count);

/// Images that are enough for whole batches of the encoding and of every stage.
std::int64_t numRehearsalImages(const base::RunConfig& config);

/// The middle one (the upper of two); 0 of nothing.
double medianOf(std::vector<double> values);

struct Rehearsal {
  base::RunConfig config;
  std::shared_ptr<const core::ImageDataset> data;
  torch::Device device = torch::kCPU;
  int num_workers = 1;
  const base::RunFolder& folder;
  base::FanOutSink& events;
  std::stop_token stop;  ///< Asked for: RunInterrupted after the step or batch of data that is worked on.
};
struct RehearsedStage {
  DryRun steps;
  double latents_seconds = 0;  ///< Encoding the data, where the stage works on latents.
};

/// The first steps of a stage; networks of stages before it are as they start where neither the configuration nor the
/// folder has them. Throws as dryRunStage.
RehearsedStage rehearseStage(const std::string& stage, const Rehearsal& rehearsal, const DryRunOptions& options);

}  // namespace meanflow::training
