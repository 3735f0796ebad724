// SPDX-License-Identifier: Apache-2.0
//
// Networks and guidance: the parts of the configuration that several sections share.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/base/config/field.h"

namespace meanflow::base {

struct VitConfig {
  std::int64_t patch_size = 16;
  std::int64_t hidden_size = 768;
  std::int64_t depth = 12;
  std::int64_t num_heads = 12;
  double mlp_ratio = 4;
};
template <class V>
void describe(V& v, VitConfig& c) {
  v.field("patch_size", c.patch_size,
          {.help = "Side of a patch; in the decoder: side of the square of pixels that a token becomes",
           .unit = "px",
           .min = 1,
           .max = 64});
  v.field("hidden_size", c.hidden_size,
          {.help = "Token width; networks that are built need a multiple of 4",
           .unit = "channels",
           .min = 1,
           .max = 16384});
  v.field("depth", c.depth, {.help = "Transformer blocks", .unit = "blocks", .min = 1, .max = 256});
  v.field("num_heads", c.num_heads, {.help = "Attention heads", .unit = "heads", .min = 1, .max = 256});
  v.field("mlp_ratio", c.mlp_ratio, {.help = "Hidden width of the MLP over hidden_size", .min = 0.25, .max = 16});
}

/// Published names of DiTwDDTHead's constructor fields (RAE stage 2).
struct DdtConfig {
  std::int64_t patch_size = 1;
  std::vector<std::int64_t> hidden_size = {1152, 2048};
  std::vector<std::int64_t> depth = {28, 2};
  std::vector<std::int64_t> num_heads = {16, 16};
  double mlp_ratio = 4;
  bool use_qknorm = false;
  bool use_swiglu = true;
  bool use_rope = true;
  bool use_rmsnorm = true;
  bool use_pos_embed = true;
};
template <class V>
void describe(V& v, DdtConfig& c) {
  v.field("patch_size", c.patch_size, {.help = "Latent cells per token side", .unit = "cells", .min = 1, .max = 16});
  v.field("hidden_size", c.hidden_size,
          {.help = "Widths of the encoder part and of the DDT head (LightningDiT: the one width)",
           .min = 4,
           .max = 16384,
           .min_items = 1,
           .max_items = 2});
  v.field("depth", c.depth,
          {.help = "Blocks of the encoder part and of the DDT head (LightningDiT: one number)",
           .unit = "blocks",
           .min = 0,
           .max = 256,
           .min_items = 1,
           .max_items = 2});
  v.field("num_heads", c.num_heads,
          {.help = "Attention heads of the encoder part and of the DDT head; one number for both",
           .unit = "heads",
           .min = 1,
           .max = 256,
           .min_items = 1,
           .max_items = 2});
  v.field("mlp_ratio", c.mlp_ratio,
          {.help = "MLP width over hidden_size, before SwiGLU's two thirds", .min = 0.25, .max = 16});
  v.field("use_qknorm", c.use_qknorm, {.help = "Normalise queries and keys per head"});
  v.field("use_swiglu", c.use_swiglu, {.help = "SwiGLU feed-forward (otherwise GELU)"});
  v.field("use_rope", c.use_rope, {.help = "Rotary position embedding"});
  v.field("use_rmsnorm", c.use_rmsnorm, {.help = "RMSNorm (otherwise LayerNorm without affine)"});
  v.field("use_pos_embed", c.use_pos_embed, {.help = "Absolute sin-cos positions on the encoder part's tokens"});
}

struct GuidanceConfig {
  double scale = 1;
  double t_min = 0, t_max = 1;
};
template <class V>
void describe(V& v, GuidanceConfig& c) {
  v.field("scale", c.scale,
          {.help = "Classifier-free guidance: v_u + scale (v_c - v_u); 1 = off", .min = 0, .max = 100});
  v.field("t_min", c.t_min, {.help = "Guidance is active from this time", .min = 0, .max = 1});
  v.field("t_max", c.t_max, {.help = "Guidance is active up to this time", .min = 0, .max = 1});
}

}  // namespace meanflow::base
