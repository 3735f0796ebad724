// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "core/cost/layer_counts.h"

namespace meanflow::core {
namespace {

constexpr double kColours = 3;

/// Tokens beside the patches, the position table of the published file, and parameters that only the file has.
struct EncoderTraits {
  double extra_tokens = 0;
  double positions = 0;
  double unused_parameters = 0;
  bool has_layer_scale = false;
};

EncoderTraits traitsOf(const FrozenEncoderShape& shape) {
  const double D = static_cast<double>(shape.network.hidden_size), hidden = D * shape.network.mlp_ratio;
  const auto grid = [&](std::int64_t image) { return squared(static_cast<double>(image / shape.network.patch_size)); };
  // facebook/dinov2-with-registers-*: trained at 518 px; cls, mask token, 4 registers, layer scale.
  if (shape.kind == "dinov2") return {5, grid(518) + 1, D, true};
  // facebook/vit-mae-*: trained at 224 px.
  if (shape.kind == "mae") return {1, grid(224) + 1, 0, false};
  // google/siglip2-*-patch16-256: no class token; the pooling head (probe, attention, norm, MLP) does not make latents.
  const double head = D + 4 * (D * D + D) + 2 * D + (D * hidden + hidden) + (hidden * D + D);
  return {0, grid(256), head, false};
}

/// Residual block of AutoencoderKL: two 3x3 convolutions with GroupNorms, a 1x1 short cut where widths differ.
void addResnet(LayerCounts& counts, double in, double out, double side) {
  counts.parameters(2 * in + 2 * out);
  counts.conv(in, out, 3, side, side);
  counts.conv(out, out, 3, side, side);
  if (in != out) counts.conv(in, out, 1, side, side);
}

/// Two residual blocks around single-head attention over all cells.
void addMiddle(LayerCounts& counts, double width, double side) {
  addResnet(counts, width, width, side);
  counts.parameters(2 * width);
  for (int i = 0; i < 4; ++i) counts.linear(width, width, side * side);
  counts.attention(width, side * side);
  addResnet(counts, width, width, side);
}

NetworkCost sdVaeEncoder(const SdVaeShape& shape) {
  LayerCounts counts;
  double side = static_cast<double>(shape.image_size), width = static_cast<double>(shape.widths.front());
  counts.conv(kColours, width, 3, side, side);
  for (std::size_t level = 0; level < shape.widths.size(); ++level) {
    const double out = static_cast<double>(shape.widths[level]);
    for (std::int64_t i = 0; i < shape.layers_per_block; ++i) addResnet(counts, i == 0 ? width : out, out, side);
    width = out;
    if (level + 1 < shape.widths.size()) {
      side /= 2;
      counts.conv(width, width, 3, side, side);  // stride 2
    }
  }
  addMiddle(counts, width, side);
  counts.parameters(2 * width);
  const double moments = 2 * static_cast<double>(shape.latent_channels);
  counts.conv(width, moments, 3, side, side);
  auto cost = counts.total();
  cost.linear_macs += side * side * moments * moments;  // quant_conv
  return cost;
}

NetworkCost sdVaeDecoder(const SdVaeShape& shape) {
  LayerCounts counts;
  const double latent = static_cast<double>(shape.latent_channels);
  double side = static_cast<double>(shape.image_size) / std::pow(2.0, static_cast<double>(shape.widths.size()) - 1);
  double width = static_cast<double>(shape.widths.back());
  const double post_quant = side * side * latent * latent;
  counts.conv(latent, width, 3, side, side);
  addMiddle(counts, width, side);
  for (std::size_t level = shape.widths.size(); level-- > 0;) {
    const double out = static_cast<double>(shape.widths[level]);
    for (std::int64_t i = 0; i <= shape.layers_per_block; ++i) addResnet(counts, i == 0 ? width : out, out, side);
    width = out;
    if (level > 0) {
      side *= 2;
      counts.conv(width, width, 3, side, side);  // after doubling the nearest way
    }
  }
  counts.parameters(2 * width);
  counts.conv(width, kColours, 3, side, side);
  auto cost = counts.total();
  cost.linear_macs += post_quant;
  return cost;
}

double mlpWidth(const base::VitConfig& network) {
  return std::trunc(static_cast<double>(network.hidden_size) * network.mlp_ratio);
}

}  // namespace

NetworkCost networkCost(const FrozenEncoderShape& shape) {
  const auto& network = shape.network;
  const double D = static_cast<double>(network.hidden_size), p = static_cast<double>(network.patch_size);
  const double patches = squared(static_cast<double>(shape.input_size / network.patch_size));
  const auto traits = traitsOf(shape);
  const double tokens = patches + traits.extra_tokens;
  LayerCounts counts;
  counts.linear(kColours * p * p, D, patches);
  for (std::int64_t i = 0; i < network.depth; ++i) {
    counts.vitBlock(D, mlpWidth(network), tokens);
    if (traits.has_layer_scale) counts.parameters(2 * D);
  }
  counts.parameters(2 * D);  // the file's final LayerNorm, whose affine part RAE does not use
  counts.parameters((traits.extra_tokens + traits.positions) * D + traits.unused_parameters);
  auto cost = counts.total();
  cost.frozen = cost.parameters;
  return cost;
}

NetworkCost networkCost(const OwnEncoderShape& shape) {
  const auto& network = shape.network;
  const double D = static_cast<double>(network.hidden_size), p = static_cast<double>(network.patch_size);
  const double tokens = squared(static_cast<double>(shape.image_size / network.patch_size));
  LayerCounts counts;
  counts.linear(kColours * p * p, D, tokens);
  for (std::int64_t i = 0; i < network.depth; ++i) counts.vitBlock(D, mlpWidth(network), tokens);
  return counts.total();
}

NetworkCost networkCost(const MaskedAutoencoderShape& shape) {
  const auto& network = shape.encoder.network;
  const double D = static_cast<double>(network.hidden_size), p = static_cast<double>(network.patch_size);
  const double W = static_cast<double>(shape.decoder_width);
  const double tokens = squared(static_cast<double>(shape.encoder.image_size / network.patch_size));
  const double kept = std::max(1.0, std::floor(tokens * (1 - shape.mask_ratio)));
  LayerCounts counts;
  counts.linear(kColours * p * p, D, tokens);  // all patches are embedded, then the kept ones picked
  for (std::int64_t i = 0; i < network.depth; ++i) counts.vitBlock(D, mlpWidth(network), kept);
  counts.linear(D, W, kept);
  counts.parameters(W);  // mask token
  for (std::int64_t i = 0; i < shape.decoder_depth; ++i) counts.vitBlock(W, 4 * W, tokens);
  counts.parameters(2 * W);
  counts.linear(W, kColours * p * p, tokens);
  return counts.total();
}

NetworkCost networkCost(const VitDecoderShape& shape) {
  const auto& network = shape.network;
  const double D = static_cast<double>(network.hidden_size), p = static_cast<double>(network.patch_size);
  const double hidden = shape.intermediate_size > 0 ? static_cast<double>(shape.intermediate_size) : mlpWidth(network);
  const double patches = squared(static_cast<double>(shape.latent_side)), tokens = patches + 1;
  LayerCounts counts;
  counts.linear(static_cast<double>(shape.latent_channels), D, patches);
  counts.parameters(D);  // class token
  counts.frozenParameters(tokens * D);
  for (std::int64_t i = 0; i < network.depth; ++i) counts.vitBlock(D, hidden, tokens);
  counts.parameters(2 * D);
  const bool is_conv = shape.output_head == "conv";
  counts.linear(D, kColours * p * p, is_conv ? patches : tokens);  // RAE predicts a patch for the class token too
  counts.kept(tokens * 3 * D);
  if (is_conv) {
    const double side = static_cast<double>(shape.latent_side) * p, c = static_cast<double>(shape.head_channels);
    counts.linear(D, squared(p / 2) * c, patches);
    counts.conv(c, c, 3, side / 2, side / 2);
    counts.conv(c / 4 + kColours, c, 3, side, side);
    counts.conv(c, kColours, 3, side, side);
    counts.kept(squared(side / 2) * 2 * c + squared(side) * (c / 4 + kColours + 2 * c));
  }
  return counts.total();
}

NetworkCost networkCost(const SdVaeShape& shape) {
  return shape.is_decoder ? sdVaeDecoder(shape) : sdVaeEncoder(shape);
}

NetworkCost networkCost(const JudgeShape& shape) {
  const double w = static_cast<double>(shape.network.width), features = static_cast<double>(shape.network.features);
  LayerCounts counts;
  double side = static_cast<double>(shape.image_size);
  double in = kColours;
  for (const auto& [factor, stride] : {std::pair{1.0, 2.0}, {2.0, 1.0}, {2.0, 2.0}, {3.0, 1.0}, {4.0, 2.0}}) {
    side = std::ceil(side / stride);
    counts.conv(in, factor * w, 3, side, side, /*has_bias=*/false);
    counts.parameters(2 * factor * w);  // batch normalisation
    counts.kept(squared(side) * 3 * factor * w);
    in = factor * w;
  }
  counts.linear(in, features, 1);
  counts.linear(features, static_cast<double>(shape.num_classes), 1);
  return counts.total();
}

}  // namespace meanflow::core
