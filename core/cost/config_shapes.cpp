// SPDX-License-Identifier: Apache-2.0
#include "core/cost/config_shapes.h"

#include <fmt/format.h>

#include <algorithm>

namespace meanflow::core {
namespace {

constexpr std::int64_t kEmojiClasses = 8;

std::int64_t encoderInput(const base::RunConfig& config) {
  return config.encoder.input_size > 0 ? config.encoder.input_size : config.data.image_size;
}

DdtShape ddtShape(const base::RunConfig& config, const base::DdtConfig& network, bool is_student) {
  const auto latent = latentSize(config);
  return {.network = network,
          .side = latent.side,
          .channels = latent.channels,
          .num_classes = numClasses(config),
          .has_null_label = true,
          .is_student = is_student};
}

base::Error misfit(std::string message) { return {std::move(message), base::ErrorKind::kUsage}; }

base::Result<void> checkNetwork(const base::DdtConfig& network, const std::string& section, bool is_lightning,
                                std::int64_t side) {
  const std::size_t parts = is_lightning ? 1 : 2;
  if (network.hidden_size.size() != parts || network.depth.size() != parts ||
      (network.num_heads.size() != 1 && network.num_heads.size() != parts))
    return misfit(fmt::format("{}: hidden_size and depth need {} value{} each, num_heads as many or one", section,
                              parts, parts == 1 ? "" : "s"));
  for (std::size_t i = 0; i < parts; ++i) {
    const auto heads = network.num_heads[std::min(i, network.num_heads.size() - 1)];
    if (network.hidden_size[i] % heads != 0)
      return misfit(
          fmt::format("{}.hidden_size: {} is not a multiple of its {} heads", section, network.hidden_size[i], heads));
  }
  if (side % network.patch_size != 0)
    return misfit(
        fmt::format("{}.patch_size: {} does not divide the latent side {}", section, network.patch_size, side));
  return {};
}

}  // namespace

LatentSize latentSize(const base::RunConfig& config) {
  return {config.encoder.model.hidden_size, encoderInput(config) / config.encoder.model.patch_size};
}

std::int64_t numClasses(const base::RunConfig& config) {
  return config.data.num_classes > 0 ? config.data.num_classes : kEmojiClasses;
}

NetworkCost encoderCost(const base::RunConfig& config) {
  if (config.encoder.kind == "trained")
    return networkCost(OwnEncoderShape{.network = config.encoder.model, .image_size = encoderInput(config)});
  return networkCost(FrozenEncoderShape{
      .kind = config.encoder.kind, .network = config.encoder.model, .input_size = encoderInput(config)});
}

NetworkCost decoderCost(const base::RunConfig& config) {
  const auto latent = latentSize(config);
  VitDecoderShape shape{.network = config.decoder.model,
                        .intermediate_size = config.decoder.intermediate_size,
                        .latent_side = latent.side,
                        .latent_channels = latent.channels,
                        .output_head = config.decoder.output_head,
                        .head_channels = config.decoder.head_channels};
  if (config.encoder.kind == "trained") shape.network.patch_size = config.encoder.model.patch_size;
  return networkCost(shape);
}

NetworkCost generatorCost(const base::RunConfig& config, bool is_student) {
  const auto& network = config.teacher.model;
  if (config.teacher.architecture != "lightning_dit") return networkCost(ddtShape(config, network, is_student));
  const auto latent = latentSize(config);
  auto cost = networkCost(LightningDitShape{.hidden_size = network.hidden_size.front(),
                                            .depth = network.depth.front(),
                                            .num_heads = network.num_heads.front(),
                                            .patch_size = network.patch_size,
                                            .side = latent.side,
                                            .channels = latent.channels,
                                            .mlp_ratio = network.mlp_ratio,
                                            .num_classes = numClasses(config),
                                            .use_qknorm = network.use_qknorm,
                                            .use_swiglu = network.use_swiglu,
                                            .use_rmsnorm = network.use_rmsnorm});
  return cost;
}

NetworkCost guidingCost(const base::RunConfig& config) {
  return networkCost(ddtShape(config, config.sampling.guidance.model, false));
}

base::Result<void> checkShapes(const base::RunConfig& config) {
  const auto input = encoderInput(config), patch = config.encoder.model.patch_size;
  if (input % patch != 0)
    return misfit(fmt::format("{}: {} is not a multiple of encoder.model.patch_size {}",
                              config.encoder.input_size > 0 ? "encoder.input_size" : "data.image_size", input, patch));
  for (const auto& [name, model] :
       {std::pair{"encoder.model", config.encoder.model}, {"decoder.model", config.decoder.model}})
    if (model.hidden_size % model.num_heads != 0)
      return misfit(fmt::format("{}.hidden_size: {} is not a multiple of its {} heads", name, model.hidden_size,
                                model.num_heads));
  const auto side = latentSize(config).side;
  const bool is_lightning = config.teacher.architecture == "lightning_dit";
  if (auto checked = checkNetwork(config.teacher.model, "teacher.model", is_lightning, side); !checked) return checked;
  if (config.sampling.guidance.method == "autoguidance")
    return checkNetwork(config.sampling.guidance.model, "sampling.guidance.model", false, side);
  return {};
}

}  // namespace meanflow::core
