// SPDX-License-Identifier: Apache-2.0
#include "core/models/model_presets.h"

#include <array>

namespace meanflow::core {
namespace {

template <bool kIsStudent, std::int64_t kSide>
std::shared_ptr<torch::nn::Module> ddtXl() {
  return DiTwDDTHead(ddtPreset("XL", kIsStudent, kSide)).ptr();
}
std::shared_ptr<torch::nn::Module> ddtL() { return DiTwDDTHead(ddtPreset("L", false, 16)).ptr(); }
std::shared_ptr<torch::nn::Module> ddtB() { return DiTwDDTHead(ddtPreset("B", false, 16)).ptr(); }
std::shared_ptr<torch::nn::Module> ddtS() { return DiTwDDTHead(ddtPreset("S", false, 16)).ptr(); }
std::shared_ptr<torch::nn::Module> lightningXl() { return LightningDit(lightningDitPreset(16)).ptr(); }
std::shared_ptr<torch::nn::Module> decoderB() { return VitDecoder(vitDecoderPreset("B", 16)).ptr(); }
std::shared_ptr<torch::nn::Module> decoderL() { return VitDecoder(vitDecoderPreset("L", 16)).ptr(); }
template <std::int64_t kSide>
std::shared_ptr<torch::nn::Module> decoderXl() {
  return VitDecoder(vitDecoderPreset("XL", kSide)).ptr();
}
std::shared_ptr<torch::nn::Module> dinov2B() { return PretrainedEncoder(encoderPreset("dinov2-b")).ptr(); }
std::shared_ptr<torch::nn::Module> maeB() { return PretrainedEncoder(encoderPreset("mae-b")).ptr(); }
std::shared_ptr<torch::nn::Module> siglip2B() { return PretrainedEncoder(encoderPreset("siglip2-b")).ptr(); }

constexpr ModelPreset kPresets[] = {
    {"DiT-DH-S 256", ddtS, 196'455'764},
    {"DiT-DH-B 256", ddtB, 294'295'892},
    {"DiT-DH-L 256", ddtL, 621'744'436},
    {"DiT-DH-XL 256", ddtXl<false, 16>, 838'675'796},
    {"DiT-DH-XL 512", ddtXl<false, 32>, 839'560'532},
    {"MF student XL 256", ddtXl<true, 16>, 840'595'284},
    {"MF student XL 512", ddtXl<true, 32>, 841'480'020},
    {"LightningDiT-XL/1 256", lightningXl, 677'248'384},
    {"ViT-B decoder 256", decoderB, 86'435'328},
    {"ViT-L decoder 256", decoderL, 304'150'272},
    {"ViT-XL decoder 256", decoderXl<16>, 415'352'704},
    {"ViT-XL decoder 512", decoderXl<32>, 416'237'440},
    {"DINOv2-B with registers", dinov2B, 86'583'552},
    {"SigLIP2-B/16 256 (vision tower without its pooling head)", siglip2B, 0},
    {"MAE-B (encoder)", maeB, 0},
};

}  // namespace

DdtOptions ddtPreset(std::string_view size, bool is_student, std::int64_t latent_side) {
  DdtOptions options;
  options.input_size = latent_side;
  options.has_r_embedder = is_student;
  auto& network = options.network;
  if (size == "XL") {
    network.hidden_size = {1152, 2048}, network.depth = {28, 2}, network.num_heads = {16, 16};
  } else if (size == "L") {
    network.hidden_size = {1024, 2048}, network.depth = {24, 2}, network.num_heads = {16, 16};
  } else if (size == "B") {
    network.hidden_size = {768, 2048}, network.depth = {12, 2}, network.num_heads = {12, 16};
  } else if (size == "S") {
    network.hidden_size = {384, 2048}, network.depth = {12, 2}, network.num_heads = {6, 16};
  } else {
    TORCH_CHECK(false, "DiT-DH: there is no size '", size, "'; use S, B, L or XL");
  }
  return options;
}

LightningDitOptions lightningDitPreset(std::int64_t latent_side) {
  LightningDitOptions options;  // its defaults are XL/1
  options.input_size = latent_side;
  return options;
}

VitDecoderOptions vitDecoderPreset(std::string_view size, std::int64_t latent_side) {
  VitDecoderOptions options;
  options.latent_side = latent_side;
  options.network.patch_size = 16;
  const auto set = [&](std::int64_t width, std::int64_t depth, std::int64_t num_heads, std::int64_t hidden) {
    options.network.hidden_size = width;
    options.network.depth = depth;
    options.network.num_heads = num_heads;
    options.intermediate_size = hidden;
  };
  if (size == "XL") {
    set(1152, 28, 16, 4096);
  } else if (size == "L") {
    set(1024, 24, 16, 4096);
  } else if (size == "B") {
    set(768, 12, 12, 3072);
  } else {
    TORCH_CHECK(false, "ViT decoder: there is no size '", size, "'; use B, L or XL");
  }
  return options;
}

PretrainedEncoderOptions encoderPreset(std::string_view name) {
  PretrainedEncoderOptions options;  // its defaults are DINOv2-B with registers
  if (name == "dinov2-b") return options;
  options.patch_size = 16;
  options.num_registers = 0;
  if (name == "mae-b") {
    options.family = EncoderFamily::kMae;
    options.image_size = 224;
    options.layer_norm_eps = 1e-12;
  } else if (name == "siglip2-b") {
    options.family = EncoderFamily::kSiglip2;
    options.image_size = 256;
    options.activation = GeluKind::kTanh;
  } else {
    TORCH_CHECK(false, "encoder: there is no preset '", name, "'; use dinov2-b, mae-b or siglip2-b");
  }
  return options;
}

std::span<const ModelPreset> modelPresets() { return kPresets; }

std::int64_t countParameters(const torch::nn::Module& module) {
  std::int64_t count = 0;
  for (const auto& parameter : module.parameters()) count += parameter.numel();
  return count;
}

}  // namespace meanflow::core
