// SPDX-License-Identifier: Apache-2.0
#include "training/verify/rae_cases.h"

#include "core/latents/rae_codec.h"
#include "core/models/pretrained_encoder.h"
#include "core/models/vit_encoder.h"
#include "training/verify/model_cases.h"

namespace meanflow::training {
namespace {

core::PretrainedEncoder makeEncoder(const CaseFolder& folder) {
  auto options = core::pretrainedEncoderOptions(folder.config().at("encoder").json());
  if (!options) throw std::runtime_error(folder.jsonFile() + ": " + options.error().message);
  options->final_norm_affine = !folder.config().flagOr("normalize", true);
  return buildLoaded<core::PretrainedEncoder>(
      folder, "encoder", *options,
      [family = options->family](const core::TensorMap& file) { return core::encoderTensors(family, file); });
}

/// RAE's decoder: sizes from a vit_mae config.json, patch and grid from the wrapper.
core::VitDecoder makeDecoder(const CaseFolder& folder, std::int64_t latent_channels, std::int64_t latent_side) {
  const auto wrapper = folder.config();
  const auto config = wrapper.at("decoder");
  core::VitDecoderOptions options;
  options.network.patch_size = wrapper.integerOr("decoder_patch_size", 16, 1, 1024);
  options.network.hidden_size = config.integer("decoder_hidden_size", 4, 1 << 16);
  options.network.depth = config.integer("decoder_num_hidden_layers", 0, 512);
  options.network.num_heads = config.integer("decoder_num_attention_heads", 1, 4096);
  options.intermediate_size = config.integer("decoder_intermediate_size", 1, 1 << 18);
  options.num_channels = config.integerOr("num_channels", 3, 1, 64);
  options.layer_norm_eps = config.numberOr("layer_norm_eps", 1e-12, 0, 1);
  options.qkv_bias = config.flagOr("qkv_bias", true);
  const auto activation = config.textOr("hidden_act", "gelu");
  if (activation == "gelu_pytorch_tanh" || activation == "gelu_new") {
    options.activation = core::GeluKind::kTanh;
  } else if (activation != "gelu") {
    config.fail("hidden_act", "must be gelu or gelu_pytorch_tanh");
  }
  options.latent_channels = latent_channels;
  options.latent_side = latent_side;
  return buildLoaded<core::VitDecoder>(folder, "decoder", options);
}

std::vector<double> channelValues(const CaseConfig& preprocessor, const char* key, std::int64_t count) {
  return preprocessor.numbers(key, static_cast<std::size_t>(count));
}

void checkEncoding(const CaseFolder& folder, CaseChecker& checker, core::RaeCodec& codec,
                   core::PretrainedEncoder& encoder) {
  const torch::NoGradGuard no_grad;
  const auto channels = encoder->options().num_channels;
  const auto image = folder.io("image", {-1, channels, -1, -1});
  const auto resized = codec.resizeImages(image);
  checker.checkIfPresent("resized", resized);
  checker.checkIfPresent("normalised", codec.normaliseImages(resized));
  if (folder.has("pos_interp")) checker.check("pos_interp", encoder->positionsFor(resized.size(2), resized.size(3)));
  if (folder.has("embeddings")) checker.check("embeddings", encoder->embed(codec.normaliseImages(resized)));
  const auto raw = codec.features(image);
  checker.check("features", core::latentsToTokens(raw));
  checker.checkIfPresent("latent_raw", raw);
  checker.check("latent", codec.encode(image));
  if (folder.has("image_at_input_size"))
    checker.check("latent2", codec.encode(folder.io("image_at_input_size", {-1, channels, -1, -1})));
  if (folder.has("latent_noisy")) {
    const auto B = raw.size(0);
    const auto normals = core::tokensToLatents(folder.io("noise_n", {B, raw.size(2) * raw.size(3), raw.size(1)}));
    const auto u = folder.io("noise_u");
    if (u.numel() != B)
      throw std::runtime_error(folder.tensorFile("io") + ": tensor 'noise_u' needs one value for each image");
    const auto tau = folder.config().number("noise_tau", 0, 1000);
    checker.check("latent_noisy", codec.normalise(core::addFeatureNoise(raw, tau, u.flatten(), normals)));
  }
}

void checkDecoding(const CaseFolder& folder, CaseChecker& checker, core::RaeCodec& codec) {
  auto& decoder = codec.decoder;
  const auto [C, h, w] = codec.latentShape();
  const auto latent = folder.io("latent", {-1, C, h, w}).clone().requires_grad_();
  const auto recon = codec.decode(latent);
  checker.check("recon", recon);
  {
    const torch::NoGradGuard no_grad;
    if (folder.has("decoder_logits") || folder.has("decoder_logits_dropcls")) {
      const auto tokens = core::latentsToTokens(codec.denormalise(latent));
      checker.checkIfPresent("decoder_logits", decoder->logits(tokens));
      // A token in front, whatever it holds, is left out.
      const auto front = torch::full({tokens.size(0), 1, C}, 7.0, tokens.options());
      checker.checkIfPresent("decoder_logits_dropcls",
                             decoder->logits(torch::cat({front, tokens}, 1), /*drop_cls_token=*/true));
    }
    for (const auto& name : folder.names("io"))  // tokens_4x goes with decoder_logits_interp
      if (name.rfind("tokens_", 0) == 0)
        checker.checkIfPresent("decoder_logits_interp", decoder->logits(folder.io(name, {-1, -1, C})));
  }
  if (!folder.has("cotangent")) return;
  const auto loss = (recon * folder.io("cotangent", recon.sizes())).sum() / recon.numel();
  checker.check("loss", loss);
  loss.backward();
  checker.checkIfPresent("grad_input.latent", latent.grad());
  checker.checkGradients("decoder_grads", *decoder);
}

}  // namespace

void runRae(const CaseFolder& folder, CaseChecker& checker) {
  const auto config = folder.config();
  auto encoder = makeEncoder(folder);
  core::RaeCodecOptions options;
  options.encoder_input_size = config.integerOr("encoder_input_size", 224, 1, 1 << 14);
  options.image_mean = channelValues(config.at("preprocessor"), "image_mean", encoder->options().num_channels);
  options.image_std = channelValues(config.at("preprocessor"), "image_std", encoder->options().num_channels);
  options.eps = config.numberOr("eps", options.eps, 0, 1);
  const auto side = options.encoder_input_size / encoder->options().patch_size;
  if (side < 1) config.fail("encoder_input_size", "must be at least the encoder's patch_size");
  core::RaeCodec codec(
      [encoder](const torch::Tensor& images) mutable { return core::tokensToLatents(encoder(images)); },
      makeDecoder(folder, encoder->options().hidden_size, side), options);
  if (folder.hasFile("stat")) {
    const auto moments = [&](const char* name) { return folder.tensor("stat", name).to(folder.device); };
    codec.setStatistics({.mean = moments("mean"), .variance = moments("var")});
  }
  checkEncoding(folder, checker, codec, encoder);
  checkDecoding(folder, checker, codec);
}

}  // namespace meanflow::training
