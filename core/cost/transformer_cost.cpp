// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "core/cost/layer_counts.h"

namespace meanflow::core {
namespace {

constexpr double kFourierFeatures = 512;  // sines and cosines of 256 trained-once frequencies (DDT.py, lightningDiT.py)
constexpr double kFourierFrequencies = 256;
constexpr double kDitTimeFeatures = 256;  // fixed frequencies (DiT models.py)

/// SwiGLU's hidden width: trunc(2/3 trunc(D ratio)), as the reference rounds.
double swiGluWidth(double width, double mlp_ratio) { return std::trunc(2.0 / 3.0 * std::trunc(width * mlp_ratio)); }

/// The modulated block of DiT-DH and LightningDiT. `rows` condition rows make the modulation: 1, or one for each token.
struct ModulatedBlock {
  double width, heads, mlp_ratio;
  bool use_qknorm, use_swiglu, use_rmsnorm;
};

void addBlock(LayerCounts& counts, const ModulatedBlock& block, double tokens, double rows) {
  const double D = block.width;
  counts.linear(D, 3 * D, tokens);
  counts.linear(D, D, tokens);
  counts.attention(D, tokens);
  double hidden_kept = 0;
  if (block.use_swiglu) {
    const double hidden = swiGluWidth(D, block.mlp_ratio);
    counts.linear(D, 2 * hidden, tokens);
    counts.linear(hidden, D, tokens);
    hidden_kept = 4 * hidden;  // both halves, the activated one, their product
  } else {
    const double hidden = std::trunc(D * block.mlp_ratio);
    counts.linear(D, hidden, tokens);
    counts.linear(hidden, D, tokens);
    hidden_kept = 2 * hidden;
  }
  counts.linear(D, 6 * D, rows);
  if (block.use_rmsnorm) counts.parameters(2 * D);
  if (block.use_qknorm) counts.parameters((block.use_rmsnorm ? 2 : 4) * D / block.heads);
  // Inputs, normalised and modulated inputs of both halves (6 D), q, k, v and the rotated q, k (5 D), the attention's
  // output (D), both halves' outputs before their gates (2 D); modulation and its activated condition (7 D a row).
  counts.kept(tokens * (14 * D + hidden_kept) + rows * 7 * D);
}

/// Time embedder: two linear layers on features, and the frequencies where they are a (frozen) parameter.
void addTimeEmbedder(LayerCounts& counts, double features, double width, double frozen_frequencies) {
  counts.linear(features, width, 1);
  counts.linear(width, width, 1);
  counts.frozenParameters(frozen_frequencies);
}

/// Last entry for a list that may be given as one number for both parts.
double part(const std::vector<std::int64_t>& values, std::size_t index) {
  return values.empty() ? 0 : static_cast<double>(values[std::min(index, values.size() - 1)]);
}

}  // namespace

NetworkCost networkCost(const DdtShape& shape) {
  const auto& network = shape.network;
  const double p = static_cast<double>(network.patch_size), C = static_cast<double>(shape.channels);
  const double tokens = squared(static_cast<double>(shape.side / network.patch_size));
  const double De = part(network.hidden_size, 0), Dd = part(network.hidden_size, 1);
  const auto block = [&](std::size_t index) {
    return ModulatedBlock{part(network.hidden_size, index),
                          part(network.num_heads, index),
                          network.mlp_ratio,
                          network.use_qknorm,
                          network.use_swiglu,
                          network.use_rmsnorm};
  };
  LayerCounts counts;
  counts.linear(C * p * p, De, tokens);
  counts.linear(C * p * p, Dd, tokens);
  for (int i = 0; i < static_cast<int>(part(network.depth, 0)); ++i) addBlock(counts, block(0), tokens, 1);
  if (De != Dd) counts.linear(De, Dd, tokens);
  for (int i = 0; i < static_cast<int>(part(network.depth, 1)); ++i) addBlock(counts, block(1), tokens, tokens);
  counts.linear(Dd, 2 * Dd, tokens);  // the final layer's modulation is per token as well
  counts.linear(Dd, p * p * C, tokens);
  if (network.use_rmsnorm) counts.parameters(Dd);
  for (int i = 0; i < (shape.is_student ? 2 : 1); ++i)
    addTimeEmbedder(counts, kFourierFeatures, De, kFourierFrequencies);
  counts.parameters((static_cast<double>(shape.num_classes) + (shape.has_null_label ? 1 : 0)) * De);
  if (network.use_pos_embed) counts.frozenParameters(tokens * De);
  counts.kept(tokens * (2 * C * p * p + 3 * De + 7 * Dd));  // both embedders' input, the condition, the final layer
  return counts.total();
}

NetworkCost networkCost(const LightningDitShape& shape) {
  const double p = static_cast<double>(shape.patch_size), C = static_cast<double>(shape.channels);
  const double D = static_cast<double>(shape.hidden_size);
  const double tokens = squared(static_cast<double>(shape.side / shape.patch_size));
  const ModulatedBlock block{
      D, static_cast<double>(shape.num_heads), shape.mlp_ratio, shape.use_qknorm, shape.use_swiglu, shape.use_rmsnorm};
  LayerCounts counts;
  counts.linear(C * p * p, D, tokens);
  for (std::int64_t i = 0; i < shape.depth; ++i) addBlock(counts, block, tokens, 1);
  counts.linear(D, 2 * D, 1);
  counts.linear(D, p * p * C * (shape.learn_sigma ? 2 : 1), tokens);
  if (shape.use_rmsnorm) counts.parameters(D);
  addTimeEmbedder(counts, kFourierFeatures, D, kFourierFrequencies);
  counts.parameters((static_cast<double>(shape.num_classes) + (shape.has_null_label ? 1 : 0)) * D);
  counts.frozenParameters(tokens * D);
  counts.kept(tokens * (C * p * p + 4 * D));
  return counts.total();
}

NetworkCost networkCost(const DitShape& shape) {
  const double p = static_cast<double>(shape.patch_size), C = static_cast<double>(shape.channels);
  const double D = static_cast<double>(shape.hidden_size);
  const double tokens = squared(static_cast<double>(shape.side / shape.patch_size));
  // LayerNorm without affine and a GELU MLP: the block of above with both switches off.
  const ModulatedBlock block{D, 1, shape.mlp_ratio, false, false, false};
  LayerCounts counts;
  counts.linear(C * p * p, D, tokens);
  for (std::int64_t i = 0; i < shape.depth; ++i) addBlock(counts, block, tokens, 1);
  counts.linear(D, 2 * D, 1);
  counts.linear(D, p * p * C * (shape.learn_sigma ? 2 : 1), tokens);
  for (std::int64_t i = 0; i < shape.num_time_embedders; ++i) addTimeEmbedder(counts, kDitTimeFeatures, D, 0);
  counts.parameters((static_cast<double>(shape.num_classes) + 1) * D);
  counts.frozenParameters(tokens * D);
  counts.kept(tokens * (C * p * p + 4 * D));
  return counts.total();
}

double jvpMacs(const NetworkCost& cost) { return 2 * cost.linear_macs + 3 * cost.attention_macs; }

}  // namespace meanflow::core
