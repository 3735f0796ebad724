// SPDX-License-Identifier: Apache-2.0
#include "training/stages/frozen_encoder.h"

#include <fmt/format.h>

#include "core/device/generator_lock.h"
#include "training/stages/external_weights.h"

namespace meanflow::training {

std::int64_t encoderInputSize(const base::RunConfig& config) {
  return config.encoder.input_size > 0 ? config.encoder.input_size : config.data.image_size;
}

core::RaeCodecOptions codecOptions(const base::RunConfig& config) {
  core::RaeCodecOptions options;
  options.encoder_input_size = encoderInputSize(config);
  options.eps = config.decoder.statistics_eps;
  if (config.encoder.kind == "dinov2" || config.encoder.kind == "mae") {
    options.image_mean = {0.485, 0.456, 0.406};
    options.image_std = {0.229, 0.224, 0.225};
  }
  return options;
}

namespace {

core::PretrainedEncoder loadEncoder(const base::RunConfig& config, const std::string& source) {
  const std::string key = "encoder.weights";
  const auto& wanted = config.encoder.model;
  const auto weights = openWeights(key, source, {.num_heads = {wanted.num_heads}});
  if (!weights) throw std::runtime_error(weights.error().message);
  const auto part = partOf(*weights, key, {core::ModelKind::kPretrainedEncoder});
  if (!part) throw std::runtime_error(part.error().message);
  const auto& found = std::get<core::PretrainedEncoderOptions>((*part)->model.sizes);
  const auto refuse = [&](const char* what, const auto& configured, const auto& in_file) {
    throw std::runtime_error(fmt::format("{}: {} has {} {}, but the configuration says {}; set it to {}", key, source,
                                         what, in_file, configured, in_file));
  };
  if (core::toString(found.family) != config.encoder.kind)
    refuse("encoder.kind", config.encoder.kind, core::toString(found.family));
  if (found.hidden_size != wanted.hidden_size)
    refuse("encoder.model.hidden_size", wanted.hidden_size, found.hidden_size);
  if (found.depth != wanted.depth) refuse("encoder.model.depth", wanted.depth, found.depth);
  if (found.patch_size != wanted.patch_size) refuse("encoder.model.patch_size", wanted.patch_size, found.patch_size);
  if (!(*part)->model.unknown.empty())
    throw std::runtime_error(fmt::format("{}: the tensors of {} do not tell {}; give a folder with its config.json",
                                         key, source, fmt::join((*part)->model.unknown, " and ")));
  auto encoder = [&found] {
    const auto lock = core::lockDefaultGenerator();
    return core::PretrainedEncoder(found);
  }();
  if (const auto loaded = core::loadPart(*encoder, weights->checkpoint, **part, core::WeightSet::kAverage); !loaded)
    throw std::runtime_error(key + ": " + loaded.error().message);
  return encoder;
}

}  // namespace

core::PretrainedEncoder loadNamedEncoder(const base::RunConfig& config) {
  return loadEncoder(config, config.encoder.weights);
}

core::PretrainedEncoder loadFrozenEncoder(const base::RunConfig& config, const base::RunFolder& folder) {
  auto source = config.encoder.weights;
  if (source.empty()) {
    const auto entries = folder.listCheckpoints("encoder");
    if (entries.empty())
      throw std::runtime_error(fmt::format(
          "encoder.kind is {}, but no such encoder is there: set encoder.weights to its file, folder or hub name, or "
          "import it into {}",
          config.encoder.kind, folder.root().string()));
    source = entries.back().path.string();
  }
  return loadEncoder(config, source);
}

}  // namespace meanflow::training
