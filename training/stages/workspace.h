// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <span>

#include "core/data/dataset.h"
#include "core/data/epoch_sampler.h"
#include "core/flow/time_schedule.h"
#include "training/run/run_context.h"
#include "training/stages/networks.h"
#include "training/workers/worker.h"

namespace meanflow::training {

/// What one worker has at hand: its copy of the configuration, the data, and what earlier stages left in the run
/// folder, loaded when first asked for.
class Workspace {
 public:
  Workspace(base::RunConfig config, std::shared_ptr<const core::ImageDataset> data, const Worker& worker,
            RunContext& run);

  base::RunConfig& config() { return config_; }
  const core::ImageDataset& data() const { return *data_; }
  const Worker& worker() const { return worker_; }
  RunContext& run() { return run_; }
  torch::Device device() const { return worker_.device(); }
  std::uint64_t seed() const { return static_cast<std::uint64_t>(config_.seed); }
  std::int64_t numClasses() const { return data_->numClasses(); }
  LatentShape latent() const { return latentShape(config_); }

  /// Training images at `indices`, float32 in [0, 1] on this worker's device.
  torch::Tensor trainImages(std::span<const std::int64_t> indices) const;
  torch::Tensor trainLabels(std::span<const std::int64_t> indices) const;
  std::vector<std::int64_t> labelsOf(std::span<const std::int64_t> indices) const;  ///< The same, on the host.

  core::RaeCodec& codec();
  core::DiTwDDTHead teacher();
  /// Normalised latents of the training images at `indices`; all are encoded on first use, spread over the workers.
  torch::Tensor trainLatents(std::span<const std::int64_t> indices);
  /// Those of all training images, in order; not a copy.
  torch::Tensor trainLatents();

  /// Training times and solver grids of the run (teacher.time).
  core::TimeSchedule schedule() const;

 private:
  base::RunConfig config_;
  std::shared_ptr<const core::ImageDataset> data_;
  const Worker& worker_;
  RunContext& run_;
  std::shared_ptr<core::RaeCodec> codec_;
  core::DiTwDDTHead teacher_{nullptr};
  torch::Tensor latents_;
};

/// Encodes images in this worker's share and gathers the rest: uint8 [N, 3, H, W] -> what `encode` returns, N rows.
torch::Tensor encodeShared(const torch::Tensor& images, const Worker& worker,
                           const std::function<torch::Tensor(const torch::Tensor&)>& encode);

/// Global sample indices of the batch members at `positions`.
std::vector<std::int64_t> pick(const std::vector<std::int64_t>& batch, std::span<const std::int64_t> positions);

}  // namespace meanflow::training
