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
    "encoder.training.accumulation",
    "decoder.losses.perceptual_weight",
    "decoder.losses.adversarial_weight",
    "decoder.training.accumulation",
    "teacher.architecture",
    "teacher.path",
    "teacher.prediction",
    "teacher.loss_weight",
    "teacher.train_fourier_and_positions",
    "teacher.training.accumulation",
    "cmt.training.accumulation",
    "mean_flow.time_distribution",
    "mean_flow.training.accumulation",
    "evaluation.every",
};

/// Values beyond the default that are supported all the same.
bool isSupported(const std::string& key, const std::string& value) { return key == "precision" && value == "tf32"; }

base::Result<void> checkEncoder(const base::RunConfig& config) {
  const auto& encoder = config.encoder;
  const auto refuse = [](std::string message) { return base::Error{std::move(message), base::ErrorKind::kUsage}; };
  const auto input = encoder.input_size > 0 ? encoder.input_size : config.data.image_size;
  if (encoder.kind == "trained") {
    if (input != config.data.image_size)
      return refuse(
          fmt::format("encoder.input_size {} differs from data.image_size {}, which only a published encoder "
                      "(encoder.kind dinov2, siglip2 or mae) can have; use 0",
                      input, config.data.image_size));
    return {};
  }
  const auto patch = encoder.model.patch_size;
  if (input % patch != 0)
    return refuse(fmt::format("encoder.input_size {} is not a multiple of encoder.model.patch_size {}", input, patch));
  const auto pixels = input / patch * config.decoder.model.patch_size;
  const bool is_trained_here =
      std::find(config.stages.begin(), config.stages.end(), "decoder") != config.stages.end() &&
      config.decoder.weights.empty();
  if (is_trained_here && pixels != config.data.image_size)
    return refuse(
        fmt::format("decoder.model.patch_size {} makes images of {} pixels out of {} tokens a side, but "
                    "data.image_size is {}; set one of them so that they agree",
                    config.decoder.model.patch_size, pixels, input / patch, config.data.image_size));
  return {};
}

}  // namespace

base::Result<void> checkSupported(const base::RunConfig& config) {
  if (config.stages.empty())
    return base::Error{
        "stages is empty: this configuration describes no training; name the stages to run, e.g. stages=[teacher]",
        base::ErrorKind::kUsage};
  if (auto fits = checkEncoder(config); !fits) return fits;
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
