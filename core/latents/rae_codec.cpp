// SPDX-License-Identifier: Apache-2.0
#include "core/latents/rae_codec.h"

#include "core/flow/fields.h"

namespace meanflow::core {
namespace {

torch::Tensor perChannel(const std::vector<double>& values) {
  return torch::tensor(values, torch::kFloat32).view({1, -1, 1, 1});
}

}  // namespace

RaeCodec::RaeCodec(FeatureEncoder encoder, VitDecoder decoder_in, const RaeCodecOptions& options)
    : decoder(std::move(decoder_in)),
      encoder_(std::move(encoder)),
      options_(options),
      image_mean_(perChannel(options.image_mean)),
      image_std_(perChannel(options.image_std)) {}

torch::Tensor RaeCodec::normaliseImages(const torch::Tensor& images) const {
  return (images - image_mean_.to(images.device())) / image_std_.to(images.device());
}

torch::Tensor RaeCodec::resizeImages(const torch::Tensor& images) const {
  const auto size = options_.encoder_input_size;
  if (images.size(2) == size && images.size(3) == size) return images;
  return at::upsample_bicubic2d(images, {size, size}, /*align_corners=*/false);
}

torch::Tensor RaeCodec::features(const torch::Tensor& images) {
  const torch::NoGradGuard no_grad;
  return encoder_(normaliseImages(resizeImages(images)));
}

torch::Tensor RaeCodec::normalise(const torch::Tensor& raw) const {
  if (!latent_mean_.defined()) return raw;
  return (raw - latent_mean_.to(raw.device())) / latent_std_.to(raw.device());
}

torch::Tensor RaeCodec::denormalise(const torch::Tensor& latents) const {
  if (!latent_mean_.defined()) return latents;
  return latents * latent_std_.to(latents.device()) + latent_mean_.to(latents.device());
}

torch::Tensor RaeCodec::decodeFeatures(const torch::Tensor& raw) {
  return decoder(raw) * image_std_.to(raw.device()) + image_mean_.to(raw.device());
}

torch::Tensor RaeCodec::encode(const torch::Tensor& images) { return normalise(features(images)); }
torch::Tensor RaeCodec::decode(const torch::Tensor& latents) { return decodeFeatures(denormalise(latents)); }

std::array<std::int64_t, 3> RaeCodec::latentShape() const {
  const auto& options = decoder->options();
  return {options.latent_channels, options.latent_side, options.latent_side};
}

void RaeCodec::setStatistics(const LatentMoments& moments) {
  const auto shape = latentShape();
  TORCH_CHECK(moments.mean.sizes() == at::IntArrayRef(shape) && moments.variance.sizes() == at::IntArrayRef(shape),
              "latent statistics of shape ", moments.mean.sizes(), " do not fit latents of shape ",
              at::IntArrayRef(shape));
  latent_mean_ = moments.mean;
  latent_std_ = (moments.variance + options_.eps).sqrt();
}

torch::Tensor addFeatureNoise(const torch::Tensor& raw, double tau, const torch::Tensor& uniforms,
                              const torch::Tensor& normals) {
  return raw + likeImage(uniforms * tau) * normals;
}

}  // namespace meanflow::core
