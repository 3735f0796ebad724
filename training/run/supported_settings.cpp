// SPDX-License-Identifier: Apache-2.0
#include "training/run/supported_settings.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "core/base/config/config_io.h"

namespace meanflow::training {
namespace {

/// Keys of which training supports the default alone. A row goes when its setting is implemented.
constexpr const char* kOnlyDefault[] = {
    "precision",
    "data.crop",
    "data.flip",
    "data.loader_threads",
    "encoder.kind",
    "encoder.input_size",
    "encoder.weights",
    "encoder.training.accumulation",
    "decoder.weights",
    "decoder.statistics",
    "decoder.losses.perceptual_weight",
    "decoder.losses.adversarial_weight",
    "decoder.training.accumulation",
    "teacher.architecture",
    "teacher.path",
    "teacher.prediction",
    "teacher.loss_weight",
    "teacher.train_fourier_and_positions",
    "teacher.weights",
    "teacher.training.accumulation",
    "cmt.weights",
    "cmt.training.accumulation",
    "mean_flow.time_distribution",
    "mean_flow.weights",
    "mean_flow.training.accumulation",
    "evaluation.every",
};

/// Values beyond the default that are supported all the same.
bool isSupported(const std::string& key, const std::string& value) { return key == "precision" && value == "tf32"; }

}  // namespace

base::Result<void> checkSupported(const base::RunConfig& config) {
  if (config.stages.empty())
    return base::Error{
        "stages is empty: this configuration describes no training; name the stages to run, e.g. stages=[teacher]",
        base::ErrorKind::kUsage};
  const base::RunConfig defaults;
  for (const char* key : kOnlyDefault) {
    const auto value = base::getValue(config, key).value(), supported = base::getValue(defaults, key).value();
    if (value == supported || isSupported(key, value)) continue;
    const bool is_precision = std::string(key) == "precision";
    return base::Error{fmt::format("{} {} is not supported by this version's training; use {}", key, value,
                                   is_precision ? "fp32 or tf32" : supported),
                       base::ErrorKind::kUsage};
  }
  return {};
}

}  // namespace meanflow::training
