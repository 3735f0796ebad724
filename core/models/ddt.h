// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <vector>

#include "core/base/config/run_config.h"
#include "core/flow/fields.h"
#include "core/nn/ddt_block.h"
#include "core/nn/embeddings.h"
#include "core/nn/positions.h"

namespace meanflow::core {

struct DdtOptions {
  base::DdtConfig network;
  std::int64_t input_size = 16;    ///< Side of the latent.
  std::int64_t in_channels = 768;  ///< Channels of the latent.
  std::int64_t num_classes = 1000;
  double class_dropout_prob = 0.1;  ///< Above 0 the label table has a row for the null label num_classes.
  bool has_r_embedder = false;      ///< Student: a second time embedder takes t - r.
};

/// DiT-DH: a DiT whose tokens condition a wide, shallow head (DiTwDDTHead of bytetriper/RAE, and with has_r_embedder
/// DiTwDDTHead_MF of sony/mf-rae), under the official state-dict keys. Latents z [B, C, S, S], times [B], labels [B]
/// int64 already dropped. patch_size != 1 takes the repaired form (the official class cannot run it).
class DiTwDDTHeadImpl : public torch::nn::Module {
 public:
  explicit DiTwDDTHeadImpl(const DdtOptions& options);

  /// Teacher: instantaneous velocity v(z, t, y) -> [B, C, S, S]. Throws for a student.
  torch::Tensor velocity(const torch::Tensor& z, const torch::Tensor& t, const torch::Tensor& y);
  /// Teacher with the head's condition `s` [B, L, De] given (L divides the token count): the encoder part is skipped.
  torch::Tensor velocityGivenS(const torch::Tensor& z, const torch::Tensor& t, const torch::Tensor& y,
                               const torch::Tensor& s);
  /// Student: average velocity u(z, r, t, y) over [r, t]; an undefined r means 0. Throws for a teacher.
  torch::Tensor averageVelocity(const torch::Tensor& z, const torch::Tensor& r, const torch::Tensor& t,
                                const torch::Tensor& y);

  /// The Fourier frequencies W and pos_embed are frozen unless switched on here (RAE's trainer trains them, mf-rae's do
  /// not).
  void setFourierAndPositionsTrainable(bool is_trainable);

  const DdtOptions& options() const { return options_; }

  PatchEmbed x_embedder{nullptr}, s_embedder{nullptr};
  torch::nn::Linear s_projector{nullptr};  ///< Null where both widths are equal.
  FourierTimeEmbedding t_embedder{nullptr}, r_embedder{nullptr};
  LabelEmbedding y_embedder{nullptr};
  torch::Tensor pos_embed;  ///< Undefined without use_pos_embed.

 private:
  void initialiseWeights();
  torch::Tensor encode(const torch::Tensor& patches, const torch::Tensor& time, const torch::Tensor& y);
  torch::Tensor decode(const torch::Tensor& patches, const torch::Tensor& s);
  torch::Tensor evaluate(const torch::Tensor& z, const torch::Tensor& time, const torch::Tensor& y);

  DdtOptions options_;
  std::vector<DdtBlock> encoder_blocks_, head_blocks_;  ///< Views into the registered list `blocks`.
  FinalLayer final_layer_{nullptr};
  RotaryEmbedding encoder_rope_{nullptr}, head_rope_{nullptr};
};
TORCH_MODULE(DiTwDDTHead);

/// The network as the field objectives and samplers speak of; keeps the network alive.
VelocityField velocityField(DiTwDDTHead network);
FlowMap flowMap(DiTwDDTHead network);

}  // namespace meanflow::core
