// SPDX-License-Identifier: Apache-2.0
//
// Everything `meanflow cost` says about one configuration.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/base/config/run_config.h"
#include "core/base/result.h"
#include "core/cost/memory_estimate.h"
#include "core/cost/training_cost.h"

namespace meanflow::core {

struct CostOptions {
  /// Sustained FLOP/s of one GPU (2 FLOP a multiply-accumulate); 0 = 40 % of an H100's dense peak at the configured
  /// precision (fp32 67, tf32 495, bf16 989 TFLOP/s).
  double flops_per_second = 0;
  /// GPUs that share a batch, for the memory of one; 0 = num_workers, or 1.
  std::int64_t num_gpus = 0;
};

struct PartCost {
  std::string role, description;
  NetworkCost cost;
};

/// One way to draw an image.
struct SamplingCost {
  std::string name;
  double network_calls = 0;
  double network_macs = 0, decoder_macs = 0;  ///< Linear and convolution layers, the papers' GFLOPs.
  double attention_macs = 0;                  ///< Of both, on top.
  double macs() const { return network_macs + decoder_macs; }
};

/// One stage of the configuration.
struct StageCost {
  std::string stage;
  std::int64_t steps = 0;
  double samples_per_step = 0;
  ObjectiveCost objective;
  double flops_per_step = 0, total_flops = 0, gpu_days = 0;
  MemoryEstimate memory;  ///< Of one GPU.
};

/// A figure of a paper beside ours.
struct PublishedFigure {
  std::string what, unit;
  double ours = 0, published = 0;
  std::string note;
};

struct CostReport {
  std::vector<PartCost> parts;
  std::vector<SamplingCost> sampling;     ///< The configuration's.
  std::vector<SamplingCost> compared;     ///< Published systems of the same image size.
  std::vector<ObjectiveCost> objectives;  ///< Every variant for these networks, a sample.
  double samples_per_step = 0;            ///< With which `objectives` are shown a step: mean_flow's batch.
  std::vector<StageCost> stages;
  std::vector<PublishedFigure> published;
  double flops_per_second = 0;
  std::int64_t num_gpus = 1;
  std::int64_t image_size = 0;
  bool is_published_system = false;  ///< The networks MF-RAE gives one-step figures for: DiT-DH-XL at 256 px.

  double saving() const;  ///< 1 - ours / SD-VAE MeanFlow, one step; 0 when there is nothing to compare with.
  double gpuDays() const;
};

/// The error names keys whose sizes do not fit together.
base::Result<CostReport> costReport(const base::RunConfig& config, const CostOptions& options = {});

std::string toText(const CostReport& report);
nlohmann::ordered_json toJson(const CostReport& report);

}  // namespace meanflow::core
