// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <vector>

#include "core/latents/latent_codec.h"
#include "core/latents/latent_statistics.h"
#include "core/models/vit_decoder.h"

namespace meanflow::core {

/// Normalised images [B, 3, S, S] -> features [B, C, h, w].
using FeatureEncoder = std::function<torch::Tensor(const torch::Tensor& images)>;

struct RaeCodecOptions {
  std::int64_t encoder_input_size = 32;  ///< Other image sizes are resized to it (bicubic, a = -0.75, no antialias).
  std::vector<double> image_mean = {0.5, 0.5, 0.5};
  std::vector<double> image_std = {0.5, 0.5, 0.5};
  double eps = 1e-5;  ///< Latents are normalised by sqrt(variance + eps).
};

/// Representation autoencoder: a frozen encoder, statistics that normalise its features, a ViT decoder.
class RaeCodec final : public LatentCodec {
 public:
  RaeCodec(FeatureEncoder encoder, VitDecoder decoder, const RaeCodecOptions& options = {});

  torch::Tensor encode(const torch::Tensor& images) override;
  torch::Tensor decode(const torch::Tensor& latents) override;
  std::array<std::int64_t, 3> latentShape() const override;

  /// Without statistics (the start) latents are the features themselves.
  void setStatistics(const LatentMoments& moments);

  /// Steps of encode and decode, for the decoder's own training: features without gradient; features with noise;
  /// latents from features and back; images in [0, 1] from features (with gradient).
  torch::Tensor features(const torch::Tensor& images);
  torch::Tensor normalise(const torch::Tensor& raw) const;
  torch::Tensor denormalise(const torch::Tensor& latents) const;
  torch::Tensor decodeFeatures(const torch::Tensor& raw);

  /// Images resized to the encoder's input size where they differ; may leave [0, 1].
  torch::Tensor resizeImages(const torch::Tensor& images) const;
  /// (image - mean) / std.
  torch::Tensor normaliseImages(const torch::Tensor& images) const;

  VitDecoder decoder{nullptr};

 private:
  FeatureEncoder encoder_;
  RaeCodecOptions options_;
  torch::Tensor image_mean_, image_std_;    ///< [1, 3, 1, 1]
  torch::Tensor latent_mean_, latent_std_;  ///< [C, h, w], undefined without statistics.
};

/// features + tau u n: u [B] uniform in [0, 1), n standard normal of the features' shape, both from the caller.
torch::Tensor addFeatureNoise(const torch::Tensor& raw, double tau, const torch::Tensor& uniforms,
                              const torch::Tensor& normals);

}  // namespace meanflow::core
