// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <vector>

#include "core/flow/fields.h"
#include "core/nn/ddt_block.h"
#include "core/nn/embeddings.h"
#include "core/nn/positions.h"

namespace meanflow::core {

/// Fields of the official constructor (bytetriper/RAE, stage2/models/lightningDiT.py) and their defaults.
struct LightningDitOptions {
  std::int64_t input_size = 16;
  std::int64_t patch_size = 1;
  std::int64_t in_channels = 768;
  std::int64_t hidden_size = 1152;
  std::int64_t depth = 28;
  std::int64_t num_heads = 16;
  double mlp_ratio = 4;
  double class_dropout_prob = 0.1;
  std::int64_t num_classes = 1000;
  bool learn_sigma = false;  ///< Doubles the output channels; only the first half is returned.
  bool use_qknorm = false;
  bool use_swiglu = true;
  bool use_rope = true;
  bool use_rmsnorm = true;
};

/// DiT without a separate head, under the official state-dict keys. z [B, C, S, S], t [B], y [B] int64 already dropped.
class LightningDitImpl : public torch::nn::Module {
 public:
  explicit LightningDitImpl(const LightningDitOptions& options);

  torch::Tensor velocity(const torch::Tensor& z, const torch::Tensor& t, const torch::Tensor& y);
  void setFourierAndPositionsTrainable(bool is_trainable);
  const LightningDitOptions& options() const { return options_; }

  PatchEmbed x_embedder{nullptr};
  FourierTimeEmbedding t_embedder{nullptr};
  LabelEmbedding y_embedder{nullptr};
  torch::Tensor pos_embed;

 private:
  LightningDitOptions options_;
  std::vector<DdtBlock> blocks_;
  FinalLayer final_layer_{nullptr};
  RotaryEmbedding rope_{nullptr};
};
TORCH_MODULE(LightningDit);

VelocityField velocityField(LightningDit network);

}  // namespace meanflow::core
