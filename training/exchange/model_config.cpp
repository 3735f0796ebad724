// SPDX-License-Identifier: Apache-2.0
#include "training/exchange/model_config.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <numeric>

#include "core/base/config/config_io.h"
#include "core/base/overloaded.h"
#include "training/stages/frozen_encoder.h"
#include "training/stages/networks.h"

namespace meanflow::training {
namespace {

constexpr std::int64_t kPublishedTokenSide = 16;  // of every published encoder at 256 pixels

bool isGiven(const std::vector<std::string>& overrides, const std::string& key) {
  return std::any_of(overrides.begin(), overrides.end(), [&](const auto& text) { return text.starts_with(key + "="); });
}

std::string sectionOf(const core::RecognisedModel& model) {
  if (model.kind == core::ModelKind::kVitDecoder) return "decoder";
  if (model.kind == core::ModelKind::kOwnEncoder || model.kind == core::ModelKind::kPretrainedEncoder) return "encoder";
  return "teacher";
}

/// Latents of `channels` x `side` x `side`, by an encoder that nobody has named yet.
void supposeEncoder(base::RunConfig& config, std::int64_t channels, std::int64_t side,
                    std::vector<std::string>& assumed) {
  auto& encoder = config.encoder;
  auto& model = encoder.model;
  if (encoder.kind != "trained" && model.hidden_size == channels) {
    encoder.input_size = model.patch_size * side;
    config.data.image_size = config.decoder.model.patch_size * side;
  } else if (channels == 768 && (side == 16 || side == 32)) {
    encoder.kind = "dinov2";
    encoder.weights = "facebook/dinov2-with-registers-base";
    model = {.patch_size = 14, .hidden_size = 768, .depth = 12, .num_heads = 12, .mlp_ratio = 4};
    encoder.input_size = 14 * side;
    config.data.image_size = 16 * side;
    config.decoder.model.patch_size = 16;
    assumed.emplace_back(
        "encoder: DINOv2-B with registers, as published for these latents; import or name another one");
  } else {
    encoder.kind = "trained";
    encoder.weights.clear();
    encoder.input_size = 0;
    model.hidden_size = channels;
    if (channels % model.num_heads != 0) model.num_heads = std::gcd(channels, model.num_heads);
    config.data.image_size = model.patch_size * side;
    assumed.push_back(fmt::format("encoder: one of this program's, {} pixels a latent cell", model.patch_size));
  }
}

void makeLatents(base::RunConfig& config, std::int64_t channels, std::int64_t side, const HeldStages& held,
                 std::vector<std::string>& assumed) {
  const auto now = latentShape(config);
  if (now.channels == channels && now.side == side) return;
  if (!held.has("encoder")) return supposeEncoder(config, channels, side, assumed);
  // Published encoders take images of any size; channels that differ are found to contradict the encoder.
  if (config.encoder.kind != "trained") config.encoder.input_size = config.encoder.model.patch_size * side;
}

base::Result<void> describeDecoder(base::RunConfig& config, const core::VitDecoderOptions& options,
                                   const HeldStages& held, std::vector<std::string>& assumed) {
  if (!options.qkv_bias || options.num_channels != 3)
    return base::Error{"a decoder without biases of its queries, or for other than 3 colours, cannot be configured"};
  auto& decoder = config.decoder;
  decoder.model.patch_size = options.network.patch_size;
  decoder.model.hidden_size = options.network.hidden_size;
  decoder.model.depth = options.network.depth;
  decoder.model.num_heads = options.network.num_heads;
  decoder.intermediate_size = options.intermediate_size;
  decoder.output_head = options.output_head;
  if (options.output_head == "conv") decoder.head_channels = options.head_channels;
  makeLatents(config, options.latent_channels, options.latent_side, held, assumed);
  if (config.encoder.kind == "trained" && !held.has("encoder"))  // its patches are what a token becomes
    config.encoder.model.patch_size = options.network.patch_size;
  config.data.image_size = options.network.patch_size * options.latent_side;
  return {};
}

void describeFrozenEncoder(base::RunConfig& config, const core::PretrainedEncoderOptions& options,
                           const HeldStages& held) {
  const bool has_latents =
      held.has("decoder") || held.has("statistics") || held.has("teacher") || held.has("cmt") || held.has("mean_flow");
  const auto side = has_latents || config.encoder.kind == core::toString(options.family) ? latentShape(config).side
                                                                                         : kPublishedTokenSide;
  auto& encoder = config.encoder;
  encoder.kind = core::toString(options.family);
  encoder.model = {
      .patch_size = options.patch_size,
      .hidden_size = options.hidden_size,
      .depth = options.depth,
      .num_heads = options.num_heads,
      .mlp_ratio = static_cast<double>(options.intermediate_size) / static_cast<double>(options.hidden_size)};
  encoder.input_size = options.patch_size * side;
  if (!held.has("decoder")) config.data.image_size = std::max<std::int64_t>(8, config.decoder.model.patch_size * side);
}

void describeOwnEncoder(base::RunConfig& config, const core::OwnEncoderOptions& options) {
  auto& encoder = config.encoder;
  encoder.kind = "trained";
  encoder.model = options.encoder.network;
  encoder.mae_decoder_width = options.mae_decoder_width;
  encoder.mae_decoder_depth = options.mae_decoder_depth;
  encoder.input_size = 0;
  config.data.image_size = options.encoder.image_size;
}

/// Stages whose weights depend on a key; empty for keys that may change.
std::vector<std::string> ownersOf(const std::string& key) {
  if (key == "encoder.kind" || key.starts_with("encoder.model.") || key.starts_with("encoder.mae_decoder_"))
    return {"encoder"};
  if (key.starts_with("decoder.model.") || key == "decoder.output_head" || key == "decoder.head_channels" ||
      key == "decoder.intermediate_size")
    return {"decoder"};
  if (key == "teacher.architecture" || key.starts_with("teacher.model.") || key == "data.num_classes")
    return {"teacher", "cmt", "mean_flow"};
  return {};
}

base::Result<void> checkAgainst(const base::RunConfig& before, const base::RunConfig& after, const std::string& stage,
                                const HeldStages& held) {
  for (const auto& difference : base::difference(before, after))
    for (const auto& owner : ownersOf(difference.key))
      if (owner != stage && held.has(owner))
        return base::Error{
            fmt::format("it needs {} = {}, but {} a stage {} with {}; {}", difference.key, difference.b,
                        held.is_draft ? "the settings take over" : "the run folder holds", owner, difference.a,
                        held.is_draft ? fmt::format("choose a checkpoint that fits, or let {} be trained", owner)
                                      : "import it into another folder"),
            base::ErrorKind::kUsage};
  const auto was = latentShape(before), is = latentShape(after);
  if (was.channels == is.channels && was.side == is.side) return {};
  for (const auto& name : held.names)
    if (name != stage && !(name == "encoder" && was.channels == is.channels && after.encoder.kind != "trained"))
      return base::Error{
          fmt::format("its latents are {}x{}x{}, but those of the {} {} are {}x{}x{}; {}", is.channels, is.side,
                      is.side, name, held.is_draft ? "that the settings take over" : "of the run folder", was.channels,
                      was.side, was.side,
                      held.is_draft ? fmt::format("choose a checkpoint that fits, or let {} be trained", name)
                                    : "import it into another folder"),
          base::ErrorKind::kUsage};
  return {};
}

}  // namespace

std::string keyOf(const std::string& size, const core::RecognisedModel& model) {
  const auto section = sectionOf(model);
  if (size == "num_heads" || size == "depth" || size == "mlp_ratio") return section + ".model." + size;
  return size == "input_size" ? "data.image_size (and encoder.input_size)" : size;
}

core::KnownSizes knownSizes(const base::RunConfig& config, const std::vector<std::string>& overrides,
                            const core::RecognisedModel& model) {
  core::KnownSizes known;
  known.num_classes = config.data.num_classes;
  const auto vit = [&](const std::string& section, const base::VitConfig& configured, std::int64_t width,
                       std::int64_t depth) {
    if (isGiven(overrides, section + ".model.num_heads") ||
        (configured.hidden_size == width && configured.depth == depth))
      known.num_heads = {configured.num_heads};
  };
  if (const auto* decoder = std::get_if<core::VitDecoderOptions>(&model.sizes)) {
    vit("decoder", config.decoder.model, decoder->network.hidden_size, decoder->network.depth);
  } else if (const auto* own = std::get_if<core::OwnEncoderOptions>(&model.sizes)) {
    vit("encoder", config.encoder.model, own->encoder.network.hidden_size, own->encoder.network.depth);
  } else if (const auto* encoder = std::get_if<core::PretrainedEncoderOptions>(&model.sizes)) {
    vit("encoder", config.encoder.model, encoder->hidden_size, encoder->depth);
  } else if (const auto* ddt = std::get_if<core::DdtOptions>(&model.sizes)) {
    const auto& configured = config.teacher.model;
    const bool is_same = configured.hidden_size == ddt->network.hidden_size;
    if (is_same || isGiven(overrides, "teacher.model.num_heads")) known.num_heads = configured.num_heads;
    if (is_same || isGiven(overrides, "teacher.model.depth")) known.depth = configured.depth;
    if (is_same) known.use_rope = configured.use_rope, known.input_size = latentShape(config).side;
  } else if (const auto* lightning = std::get_if<core::LightningDitOptions>(&model.sizes)) {
    const auto& configured = config.teacher.model;
    const bool is_same = configured.hidden_size == std::vector{lightning->hidden_size};
    if (is_same || isGiven(overrides, "teacher.model.num_heads")) known.num_heads = configured.num_heads;
    if (is_same) known.use_rope = configured.use_rope, known.input_size = latentShape(config).side;
  }
  return known;
}

base::Result<void> describeInConfig(base::RunConfig& config, const std::string& stage,
                                    const core::RecognisedModel& model, const HeldStages& held,
                                    std::vector<std::string>& assumed) {
  auto after = config;
  const auto described = std::visit(
      base::Overloaded{
          [&](const core::DdtOptions& o) -> base::Result<void> {
            if (o.class_dropout_prob <= 0)
              return base::Error{
                  fmt::format("its label table has {} rows and so none for the null label, which "
                              "training and guidance need",
                              o.num_classes)};
            after.teacher.architecture = "ddt";
            after.teacher.model = o.network;
            after.data.num_classes = o.num_classes;
            makeLatents(after, o.in_channels, o.input_size, held, assumed);
            return {};
          },
          [&](const core::LightningDitOptions& o) -> base::Result<void> {
            after.teacher.architecture = "lightning_dit";
            after.teacher.model = {.patch_size = o.patch_size,
                                   .hidden_size = {o.hidden_size},
                                   .depth = {o.depth},
                                   .num_heads = {o.num_heads},
                                   .mlp_ratio = o.mlp_ratio,
                                   .use_qknorm = o.use_qknorm,
                                   .use_swiglu = o.use_swiglu,
                                   .use_rope = o.use_rope,
                                   .use_rmsnorm = o.use_rmsnorm,
                                   .use_pos_embed = true};
            after.data.num_classes = o.num_classes;
            makeLatents(after, o.in_channels, o.input_size, held, assumed);
            return {};
          },
          [&](const core::VitDecoderOptions& o) { return describeDecoder(after, o, held, assumed); },
          [&](const core::OwnEncoderOptions& o) -> base::Result<void> {
            describeOwnEncoder(after, o);
            return {};
          },
          [&](const core::PretrainedEncoderOptions& o) -> base::Result<void> {
            describeFrozenEncoder(after, o, held);
            return {};
          },
          [&](const core::LatentStatisticsOptions& o) -> base::Result<void> {
            if (o.height != o.width)
              return base::Error{fmt::format("its latents are {}x{}, not square", o.height, o.width)};
            makeLatents(after, o.channels, o.height, held, assumed);
            return {};
          },
          [&](const auto&) -> base::Result<void> { return base::Error{"this version has no such network"}; }},
      model.sizes);
  if (!described) return described;
  if (auto fits = checkAgainst(config, after, stage, held); !fits) return fits;
  // Without a value of its own the shift of smaller latents would be below 1, which no schedule has.
  const bool is_generator = model.kind == core::ModelKind::kDdt || model.kind == core::ModelKind::kLightningDit;
  auto& time = after.teacher.time;
  if (is_generator && time.shift == 0 && time.shift_dim == 0 &&
      static_cast<double>(latentShape(after).dim()) < time.shift_base) {
    time.shift = 1;
    assumed.emplace_back("teacher.time.shift 1: the latents are smaller than those that shifts are defined for");
  }
  // Whatever the file held, the configuration must be one that can be read again.
  if (const auto again = base::parseConfig(base::toYaml(after), "its sizes"); !again)
    return base::Error{again.error().message};
  config = std::move(after);
  return {};
}

}  // namespace meanflow::training
