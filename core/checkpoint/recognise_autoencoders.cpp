// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>

#include "core/checkpoint/recognise_parts.h"

namespace meanflow::core::recognise {
namespace {

/// Published decoders (RAE) by width.
struct DecoderSize {
  const char* name;
  std::int64_t width, depth, num_heads;
};
constexpr auto kDecoders =
    std::to_array<DecoderSize>({{"ViT-B", 768, 12, 12}, {"ViT-L", 1024, 24, 16}, {"ViT-XL", 1152, 28, 16}});

/// Heads of the published encoders by width: 64 channels each, but for SigLIP2's so400m.
std::int64_t publishedEncoderHeads(std::int64_t width) {
  if (width == 1152) return 16;
  for (const std::int64_t known : {384, 768, 1024, 1536})
    if (width == known) return width / 64;
  return 0;
}

std::string encoderSizeName(std::int64_t width, std::int64_t depth) {
  if (width == 384 && depth == 12) return "S";
  if (width == 768 && depth == 12) return "B";
  if (width == 1024 && depth == 24) return "L";
  if (width == 1152 && depth == 27) return "So400m";
  if (width == 1536 && depth == 40) return "g";
  return {};
}

bool endsWith(std::string_view text, std::string_view end, std::string_view& before) {
  if (!text.ends_with(end)) return false;
  before = text.substr(0, text.size() - end.size());
  return before.empty() || before.ends_with('.');
}

}  // namespace

std::optional<RecognisedModel> latentStatistics(const TensorShapes& tensors) {
  const auto *mean = tensors.find("mean"), *variance = tensors.find("var");
  if (tensors.all().size() != 2 || mean == nullptr || variance == nullptr || *mean != *variance || mean->size() != 3)
    return std::nullopt;
  RecognisedModel model{.kind = ModelKind::kLatentStatistics};
  model.sizes = LatentStatisticsOptions{(*mean)[0], (*mean)[1], (*mean)[2]};
  return model;
}

std::optional<RecognisedModel> vitDecoder(const TensorShapes& tensors, const KnownSizes& known) {
  const auto width = tensors.size("decoder_embed.weight", 0), channels = tensors.size("decoder_embed.weight", 1);
  const auto depth = tensors.numLayers("decoder_layers."), outputs = tensors.size("decoder_pred.weight", 0);
  if (width <= 0 || channels <= 0 || depth == 0 || outputs <= 0 || !tensors.has("trainable_cls_token"))
    return std::nullopt;
  RecognisedModel model{.kind = ModelKind::kVitDecoder};
  VitDecoderOptions options;
  options.network.hidden_size = width;
  options.network.depth = depth;
  options.latent_channels = channels;
  options.intermediate_size = tensors.size("decoder_layers.0.intermediate.dense.weight", 0);
  if (options.intermediate_size <= 0) model.unknown.push_back("intermediate_size");
  options.network.mlp_ratio = static_cast<double>(options.intermediate_size) / static_cast<double>(width);
  options.qkv_bias = tensors.has("decoder_layers.0.attention.attention.query.bias");
  if (const auto patch = squareSide(outputs / options.num_channels);
      patch && *patch * *patch * options.num_channels == outputs)
    options.network.patch_size = *patch;
  else
    model.unknown.push_back("patch_size");
  if (const auto side = squareSide(tensors.size("decoder_pos_embed", 1) - 1)) {
    options.latent_side = *side;
  } else if (known.input_size > 0) {
    options.latent_side = known.input_size;
    model.assumed.push_back(fmt::format("input_size {}: from the configuration", known.input_size));
  } else {
    model.unknown.push_back("input_size");
  }
  if (tensors.hasBelow("conv_head.")) {
    options.output_head = "conv";
    options.head_channels = tensors.size("conv_head.out.weight", 1);
  }
  std::int64_t published = 0;
  for (const auto& size : kDecoders)
    if (size.width == width && size.depth == depth) model.size_name = size.name, published = size.num_heads;
  options.network.num_heads = headsFor(model, width, 0, known, published);
  model.sizes = options;
  return model;
}

std::optional<RecognisedModel> ownEncoder(const TensorShapes& tensors, const KnownSizes& known) {
  const auto width = tensors.size("encoder.patch_embed.proj.weight", 0),
             patch = tensors.size("encoder.patch_embed.proj.weight", 2);
  if (width <= 0 || patch <= 0 || !tensors.has("mask_token") || !tensors.hasBelow("decoder_blocks."))
    return std::nullopt;
  RecognisedModel model{.kind = ModelKind::kOwnEncoder};
  OwnEncoderOptions options;
  auto& network = options.encoder.network;
  network.patch_size = patch;
  network.hidden_size = width;
  network.depth = tensors.numLayers("encoder.blocks.");
  options.encoder.num_channels = tensors.size("encoder.patch_embed.proj.weight", 1);
  if (const auto ratio = mlpRatio({{width, tensors.size("encoder.blocks.0.mlp.fc1.weight", 0)}}, false))
    network.mlp_ratio = *ratio;
  else
    model.unknown.push_back("mlp_ratio");
  if (const auto side = squareSide(tensors.size("encoder.pos_embed", 1)))
    options.encoder.image_size = *side * patch;
  else if (known.input_size > 0)
    options.encoder.image_size = known.input_size * patch;
  else
    model.unknown.push_back("input_size");
  options.mae_decoder_width = tensors.size("decoder_embed.weight", 0);
  options.mae_decoder_depth = tensors.numLayers("decoder_blocks.");
  network.num_heads = headsFor(model, width, 0, known, 0);
  model.sizes = options;
  return model;
}

std::optional<EncoderPlace> encoderPlace(const TensorShapes& tensors) {
  for (const auto& [name, shape] : tensors.all()) {
    std::string_view prefix;
    const bool is_siglip = endsWith(name, "embeddings.patch_embedding.weight", prefix);
    if (!is_siglip && !endsWith(name, "embeddings.patch_embeddings.projection.weight", prefix)) continue;
    if (shape.size() != 4) continue;  // SigLIP2's variable resolutions have a linear layer there
    EncoderPlace place{.prefix = std::string(prefix)};
    const auto has = [&](const std::string& rest) { return tensors.hasBelow(place.prefix + rest); };
    if (is_siglip && has("encoder.layers."))
      place.family = EncoderFamily::kSiglip2;
    else if (!is_siglip && has("encoder.layer.0.layernorm_before."))
      place.family = EncoderFamily::kMae;
    else if (!is_siglip && (has("embeddings.register_tokens") || has("encoder.layer.0.layer_scale1.")))
      place.family = EncoderFamily::kDinov2;
    else
      continue;
    place.wrapper = place.prefix;
    for (const std::string_view own : {"dinov2_with_registers.", "vit.", "vision_model."})
      if (place.wrapper.ends_with(own)) {
        place.wrapper.resize(place.wrapper.size() - own.size());
        break;
      }
    return place;
  }
  return std::nullopt;
}

std::optional<RecognisedModel> pretrainedEncoder(const TensorShapes& all, const EncoderPlace& place,
                                                 const KnownSizes& known) {
  const auto tensors = all.below(place.prefix);
  RecognisedModel model{.kind = ModelKind::kPretrainedEncoder};
  PretrainedEncoderOptions options;
  const bool is_siglip = place.family == EncoderFamily::kSiglip2;
  if (!known.config_json.empty()) {
    const auto json = nlohmann::json::parse(known.config_json, nullptr, /*allow_exceptions=*/false);
    if (const auto read = pretrainedEncoderOptions(json); read && read->family == place.family) options = *read;
  }
  if (options.family != place.family || known.config_json.empty()) {
    options = {};
    options.num_heads = 0;
    options.layer_norm_eps = place.family == EncoderFamily::kMae ? 1e-12 : 1e-6;
    options.activation = is_siglip ? GeluKind::kTanh : GeluKind::kExact;
  }
  options.family = place.family;
  const std::string patches =
      is_siglip ? "embeddings.patch_embedding.weight" : "embeddings.patch_embeddings.projection.weight";
  options.hidden_size = tensors.size(patches, 0);
  options.num_channels = tensors.size(patches, 1);
  options.patch_size = tensors.size(patches, 2);
  const std::string layers = is_siglip ? "encoder.layers." : "encoder.layer.", first = layers + "0.";
  options.depth = tensors.numLayers(layers);
  options.num_registers = std::max<std::int64_t>(0, tensors.size("embeddings.register_tokens", 1));
  options.use_swiglu = tensors.has(first + "mlp.weights_in.weight");
  const auto hidden = tensors.size(first + (options.use_swiglu                    ? "mlp.weights_in.weight"
                                            : place.family == EncoderFamily::kMae ? "intermediate.dense.weight"
                                                                                  : "mlp.fc1.weight"),
                                   0);
  options.intermediate_size = options.use_swiglu ? hidden / 2 : hidden;
  if (hidden <= 0) model.unknown.push_back("intermediate_size");
  options.qkv_bias = tensors.has(first + (is_siglip ? "self_attn.q_proj.bias" : "attention.attention.query.bias"));
  const auto tokens = is_siglip ? tensors.size("embeddings.position_embedding.weight", 0)
                                : tensors.size("embeddings.position_embeddings", 1) - 1;
  if (const auto side = squareSide(tokens))
    options.image_size = *side * options.patch_size;
  else
    model.unknown.push_back("image_size");
  if (options.num_heads <= 0 || options.hidden_size % options.num_heads != 0)
    options.num_heads = headsFor(model, options.hidden_size, 0, known, publishedEncoderHeads(options.hidden_size));
  model.size_name = encoderSizeName(options.hidden_size, options.depth);
  model.sizes = options;
  return model;
}

}  // namespace meanflow::core::recognise
