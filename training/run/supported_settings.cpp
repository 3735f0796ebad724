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

/// What the networks would refuse when they are built, said with the key and before anything is made.
base::Result<void> checkWidths(const base::RunConfig& config) {
  const auto runs = [&](const char* stage) {
    return std::find(config.stages.begin(), config.stages.end(), stage) != config.stages.end();
  };
  std::string problem;
  const auto check = [&](const std::string& key, std::int64_t width, std::int64_t heads, bool has_positions,
                         bool has_rotations) {
    if (!problem.empty()) return;
    const auto value = fmt::format("{}.hidden_size {}", key, width);
    if (width % heads != 0)
      problem = fmt::format("{} is not a multiple of {}.num_heads {}", value, key, heads);
    else if (has_positions && width % 4 != 0)
      problem = fmt::format("{} is not a multiple of 4, which its sin-cos positions need", value);
    else if (has_rotations && width / heads % 4 != 0)
      problem =
          fmt::format("{} over {}.num_heads {} is not a multiple of 4, which rotary positions need", value, key, heads);
  };
  const auto vit = [&](const std::string& key, const base::VitConfig& model) {
    check(key, model.hidden_size, model.num_heads, true, false);
  };
  if (runs("encoder") && config.encoder.kind == "trained") vit("encoder.model", config.encoder.model);
  if (runs("decoder")) vit("decoder.model", config.decoder.model);
  if (runs("teacher") || runs("cmt") || runs("mean_flow")) {
    const auto& model = config.teacher.model;
    for (std::size_t part = 0; part < model.hidden_size.size(); ++part)
      check("teacher.model", model.hidden_size[part],
            model.num_heads.size() > part ? model.num_heads[part] : model.num_heads[0],
            model.use_pos_embed && part == 0, model.use_rope);
  }
  if (problem.empty()) return {};
  return base::Error{problem + "; choose another width or number of heads", base::ErrorKind::kUsage};
}

}  // namespace

base::Result<void> checkSupported(const base::RunConfig& config) {
  if (config.stages.empty())
    return base::Error{
        "stages is empty: this configuration describes no training; name the stages to run, e.g. stages=[teacher]",
        base::ErrorKind::kUsage};
  if (auto fits = checkEncoder(config); !fits) return fits;
  if (auto fits = checkWidths(config); !fits) return fits;
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
