// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "core/checkpoint/recognise_parts.h"
#include "core/models/model_presets.h"

namespace meanflow::core::recognise {
namespace {

constexpr std::int64_t kMaxSide = 4096;
constexpr std::int64_t kImageNetClasses = 1000;

std::string block(std::int64_t i) { return "blocks." + std::to_string(i) + "."; }

/// Switches and widths that DiT-DH and LightningDiT blocks share.
struct Blocks {
  bool use_qknorm = false, use_swiglu = false, use_rmsnorm = false;
};
Blocks switchesOf(const TensorShapes& tensors) {
  return {.use_qknorm = tensors.has("blocks.0.attn.q_norm.weight"),
          .use_swiglu = tensors.has("blocks.0.mlp.w12.weight"),
          .use_rmsnorm = tensors.has("final_layer.norm_final.weight") || tensors.has("blocks.0.norm1.weight")};
}

std::int64_t hiddenOf(const TensorShapes& tensors, std::int64_t i, bool is_swiglu) {
  const auto rows = tensors.size(block(i) + (is_swiglu ? "mlp.w12.weight" : "mlp.fc1.weight"), 0);
  return is_swiglu ? rows / 2 : rows;
}

/// Heads of blocks of `width`, from the rope table or the norm of queries; else from what is known.
std::int64_t headsOf(const TensorShapes& tensors, RecognisedModel& model, const std::string& rope, std::int64_t width,
                     std::int64_t first_block, std::size_t part, const KnownSizes& known) {
  for (const auto head_dim :
       {tensors.size(rope + ".freqs_cos", 1), tensors.size(block(first_block) + "attn.q_norm.weight", 0)})
    if (head_dim > 0 && width % head_dim == 0) return width / head_dim;
  return headsFor(model, width, part, known, 0);
}

/// Side of the latent from the position table or a rope table; 0 and "input_size" in unknown without either.
std::int64_t sideOf(const TensorShapes& tensors, RecognisedModel& model, const std::string& rope, std::int64_t patch,
                    const KnownSizes& known) {
  for (const auto tokens : {tensors.size("pos_embed", 1), tensors.size(rope + ".freqs_cos", 0)})
    if (const auto side = squareSide(tokens); side && *side * patch <= kMaxSide) return *side * patch;
  if (known.input_size > 0) {
    model.assumed.push_back(fmt::format("input_size {}: from the configuration", known.input_size));
    return known.input_size;
  }
  model.unknown.push_back("input_size");
  return 0;
}

/// The name of published sizes, by width and depth of the encoder part.
std::string sizeName(const base::DdtConfig& network) {
  for (const char* name : {"S", "B", "L", "XL"}) {
    const auto preset = ddtPreset(name, false, 16).network;
    if (preset.hidden_size == network.hidden_size && preset.depth == network.depth) return name;
  }
  return {};
}

}  // namespace

std::optional<double> mlpRatio(const std::vector<std::pair<std::int64_t, std::int64_t>>& widths_and_hidden,
                               bool is_swiglu) {
  if (widths_and_hidden.empty()) return std::nullopt;
  const auto fits = [&](double ratio) {
    return ratio > 0 && std::all_of(widths_and_hidden.begin(), widths_and_hidden.end(), [&](const auto& pair) {
             const auto& [width, hidden] = pair;
             return hidden == (is_swiglu ? swiGluWidth(width, ratio)
                                         : static_cast<std::int64_t>(static_cast<double>(width) * ratio));
           });
  };
  const auto& [width, hidden] = widths_and_hidden.front();
  if (width <= 0 || hidden <= 0) return std::nullopt;
  const auto about = static_cast<double>(hidden) * (is_swiglu ? 1.5 : 1.0) / static_cast<double>(width);
  for (const double steps : {1.0, 8.0, 100.0})
    if (const auto ratio = std::round(about * steps) / steps; fits(ratio)) return ratio;
  for (int more = 0; more < 3; ++more)  // the exact fraction; truncation leaves a width or two to choose from
    for (const auto& [w, h] : widths_and_hidden) {
      const auto before = std::ceil(static_cast<double>(h) * (is_swiglu ? 1.5 : 1.0)) + more;
      if (const auto ratio = before / static_cast<double>(w); fits(ratio)) return ratio;
    }
  return std::nullopt;
}

std::int64_t headsFor(RecognisedModel& model, std::int64_t width, std::size_t part, const KnownSizes& known,
                      std::int64_t published) {
  if (!known.num_heads.empty()) {
    const auto heads = known.num_heads[std::min(part, known.num_heads.size() - 1)];
    if (heads > 0 && width > 0 && width % heads == 0) {
      model.assumed.push_back(fmt::format("num_heads {}: from the configuration", heads));
      return heads;
    }
  }
  if (published > 0 && width % published == 0) {
    model.assumed.push_back(fmt::format("num_heads {}: as published for this width", published));
    return published;
  }
  if (std::find(model.unknown.begin(), model.unknown.end(), "num_heads") == model.unknown.end())
    model.unknown.push_back("num_heads");
  return 0;
}

Labels labelsOf(std::int64_t num_rows, const KnownSizes& known) {
  const bool is_without_null = num_rows == (known.num_classes > 0 ? known.num_classes : kImageNetClasses);
  return {is_without_null ? num_rows : num_rows - 1, !is_without_null};
}

std::optional<RecognisedModel> ddt(const TensorShapes& tensors, const KnownSizes& known) {
  const auto width = tensors.size("s_embedder.proj.weight", 0), head_width = tensors.size("x_embedder.proj.weight", 0);
  const auto channels = tensors.size("s_embedder.proj.weight", 1), patch = tensors.size("s_embedder.proj.weight", 2);
  const auto num_blocks = tensors.numLayers("blocks."), num_rows = tensors.size("y_embedder.embedding_table.weight", 0);
  if (width <= 0 || head_width <= 0 || channels <= 0 || patch <= 0 || num_blocks == 0 || num_rows <= 1 ||
      !tensors.has("t_embedder.mlp.0.weight"))
    return std::nullopt;
  RecognisedModel model{.kind = ModelKind::kDdt};
  DdtOptions options;
  auto& network = options.network;
  network.patch_size = patch;
  network.hidden_size = {width, head_width};
  const auto switches = switchesOf(tensors);
  network.use_qknorm = switches.use_qknorm;
  network.use_swiglu = switches.use_swiglu;
  network.use_rmsnorm = switches.use_rmsnorm;
  network.use_pos_embed = tensors.has("pos_embed");
  network.use_rope = tensors.hasBelow("enc_feat_rope.") || tensors.hasBelow("dec_feat_rope.") || known.use_rope;
  options.in_channels = channels;
  options.has_r_embedder = tensors.hasBelow("r_embedder.");
  const auto labels = labelsOf(num_rows, known);
  options.num_classes = labels.num_classes;
  options.class_dropout_prob = labels.has_null ? 0.1 : 0;

  // Blocks of the head follow those of the encoder part and have its width.
  auto num_encoder = num_blocks;
  if (width != head_width) {
    num_encoder = 0;
    while (num_encoder < num_blocks && tensors.size(block(num_encoder) + "attn.qkv.weight", 1) != head_width)
      ++num_encoder;
  } else if (known.depth.size() == 2 && known.depth[0] + known.depth[1] == num_blocks) {
    num_encoder = known.depth[0];
    model.assumed.push_back(fmt::format("depth [{}, {}]: from the configuration", known.depth[0], known.depth[1]));
  } else {
    model.unknown.push_back("depth");  // equal widths do not show where the head begins
  }
  network.depth = {num_encoder, num_blocks - num_encoder};
  network.num_heads = {headsOf(tensors, model, "enc_feat_rope", width, 0, 0, known),
                       headsOf(tensors, model, "dec_feat_rope", head_width, num_blocks - 1, 1, known)};
  std::vector<std::pair<std::int64_t, std::int64_t>> widths;
  if (num_encoder > 0) widths.emplace_back(width, hiddenOf(tensors, 0, network.use_swiglu));
  if (num_encoder < num_blocks) widths.emplace_back(head_width, hiddenOf(tensors, num_blocks - 1, network.use_swiglu));
  if (const auto ratio = mlpRatio(widths, network.use_swiglu))
    network.mlp_ratio = *ratio;
  else
    model.unknown.push_back("mlp_ratio");
  options.input_size = sideOf(tensors, model, "enc_feat_rope", patch, known);
  model.size_name = sizeName(network);
  model.sizes = options;
  return model;
}

std::optional<RecognisedModel> lightningDit(const TensorShapes& tensors, const KnownSizes& known) {
  const auto width = tensors.size("x_embedder.proj.weight", 0), channels = tensors.size("x_embedder.proj.weight", 1),
             patch = tensors.size("x_embedder.proj.weight", 2);
  const auto num_rows = tensors.size("y_embedder.embedding_table.weight", 0), depth = tensors.numLayers("blocks.");
  if (width <= 0 || channels <= 0 || patch <= 0 || depth == 0 || num_rows <= 1 || !tensors.has("t_embedder.W") ||
      tensors.has("s_embedder.proj.weight"))
    return std::nullopt;
  RecognisedModel model{.kind = ModelKind::kLightningDit};
  LightningDitOptions options;
  options.patch_size = patch;
  options.in_channels = channels;
  options.hidden_size = width;
  options.depth = depth;
  const auto switches = switchesOf(tensors);
  options.use_qknorm = switches.use_qknorm;
  options.use_swiglu = switches.use_swiglu;
  options.use_rmsnorm = switches.use_rmsnorm;
  options.use_rope = tensors.hasBelow("feat_rope.") || known.use_rope;
  options.learn_sigma = tensors.size("final_layer.linear.weight", 0) == 2 * patch * patch * channels;
  const auto labels = labelsOf(num_rows, known);
  options.num_classes = labels.num_classes;
  options.class_dropout_prob = labels.has_null ? 0.1 : 0;
  options.num_heads = headsOf(tensors, model, "feat_rope", width, 0, 0, known);
  if (const auto ratio = mlpRatio({{width, hiddenOf(tensors, 0, options.use_swiglu)}}, options.use_swiglu))
    options.mlp_ratio = *ratio;
  else
    model.unknown.push_back("mlp_ratio");
  options.input_size = sideOf(tensors, model, "feat_rope", patch, known);
  const LightningDitOptions published;
  if (width == published.hidden_size && depth == published.depth) model.size_name = "XL/" + std::to_string(patch);
  model.sizes = options;
  return model;
}

std::optional<RecognisedModel> plainDit(const TensorShapes& tensors, const KnownSizes& known) {
  const auto width = tensors.size("x_embedder.proj.weight", 0), patch = tensors.size("x_embedder.proj.weight", 2);
  const auto depth = tensors.numLayers("blocks.");
  if (width <= 0 || patch <= 0 || depth == 0 || !tensors.has("t_embedder.mlp.0.weight") ||
      tensors.has("t_embedder.W") || !tensors.has("blocks.0.mlp.fc1.weight") ||
      !tensors.has("y_embedder.embedding_table.weight"))
    return std::nullopt;
  RecognisedModel model{.kind = ModelKind::kPlainDit, .num_parameters = tensors.numValues()};
  PlainDitOptions options{.hidden_size = width, .depth = depth, .patch_size = patch};
  options.in_channels = tensors.size("x_embedder.proj.weight", 1);
  options.input_size = squareSide(tensors.size("pos_embed", 1)).value_or(0) * patch;
  options.num_classes = labelsOf(tensors.size("y_embedder.embedding_table.weight", 0), known).num_classes;
  for (const char* family : {"SiT", "DiT"})
    if (known.model_name.starts_with(family)) options.family = family;
  struct Size {
    const char* name;
    std::int64_t width, depth;
  };
  for (const auto& size : std::to_array<Size>({{"S", 384, 12}, {"B", 768, 12}, {"L", 1024, 24}, {"XL", 1152, 28}}))
    if (size.width == width && size.depth == depth) model.size_name = fmt::format("{}/{}", size.name, patch);
  model.sizes = options;
  return model;
}

}  // namespace meanflow::core::recognise
