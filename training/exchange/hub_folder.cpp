// SPDX-License-Identifier: Apache-2.0
#include "training/exchange/hub_folder.h"

#include <spdlog/fmt/fmt.h>

#include <nlohmann/json.hpp>

#include "core/base/formats/stored_tensor.h"
#include "core/base/overloaded.h"
#include "core/base/run/atomic_file.h"

namespace meanflow::training {
namespace {

using Json = nlohmann::ordered_json;

Json ddtConfig(const core::DdtOptions& options) {
  const auto& network = options.network;
  return {{"model_type", "ditdh"},
          {"architectures", {options.has_r_embedder ? "DiTwDDTHead_MF" : "DiTwDDTHead"}},
          {"input_size", options.input_size},
          {"patch_size", network.patch_size},
          {"in_channels", options.in_channels},
          {"hidden_size", network.hidden_size},
          {"depth", network.depth},
          {"num_heads", network.num_heads},
          {"mlp_ratio", network.mlp_ratio},
          {"class_dropout_prob", options.class_dropout_prob},
          {"num_classes", options.num_classes},
          {"use_qknorm", network.use_qknorm},
          {"use_swiglu", network.use_swiglu},
          {"use_rope", network.use_rope},
          {"use_rmsnorm", network.use_rmsnorm},
          {"wo_shift", false},
          {"use_pos_embed", network.use_pos_embed}};
}

Json lightningConfig(const core::LightningDitOptions& options) {
  return {{"model_type", "lightning_dit"},
          {"architectures", {"LightningDiT"}},
          {"input_size", options.input_size},
          {"patch_size", options.patch_size},
          {"in_channels", options.in_channels},
          {"hidden_size", options.hidden_size},
          {"depth", options.depth},
          {"num_heads", options.num_heads},
          {"mlp_ratio", options.mlp_ratio},
          {"class_dropout_prob", options.class_dropout_prob},
          {"num_classes", options.num_classes},
          {"learn_sigma", options.learn_sigma},
          {"use_qknorm", options.use_qknorm},
          {"use_swiglu", options.use_swiglu},
          {"use_rope", options.use_rope},
          {"use_rmsnorm", options.use_rmsnorm}};
}

Json decoderConfig(const core::VitDecoderOptions& options) {
  Json json = {{"model_type", "vit_mae"},
               {"architectures", {"GeneralDecoder"}},
               {"hidden_size", options.latent_channels},
               {"image_size", options.latent_side * options.network.patch_size},
               {"patch_size", options.network.patch_size},
               {"num_channels", options.num_channels},
               {"decoder_hidden_size", options.network.hidden_size},
               {"decoder_num_hidden_layers", options.network.depth},
               {"decoder_num_attention_heads", options.network.num_heads},
               {"decoder_intermediate_size", options.intermediate_size},
               {"hidden_act", "gelu"},
               {"layer_norm_eps", options.layer_norm_eps},
               {"qkv_bias", options.qkv_bias}};
  if (options.output_head == "conv") json["output_head"] = "conv", json["head_channels"] = options.head_channels;
  return json;
}

Json encoderConfig(const core::PretrainedEncoderOptions& options) {
  const bool is_siglip = options.family == core::EncoderFamily::kSiglip2,
             is_dinov2 = options.family == core::EncoderFamily::kDinov2;
  Json json = {{"model_type", is_siglip   ? "siglip_vision_model"
                              : is_dinov2 ? "dinov2_with_registers"
                                          : "vit_mae"},
               {"hidden_size", options.hidden_size},
               {"num_hidden_layers", options.depth},
               {"num_attention_heads", options.num_heads},
               {"patch_size", options.patch_size},
               {"image_size", options.image_size},
               {"num_channels", options.num_channels},
               {"layer_norm_eps", options.layer_norm_eps},
               {"hidden_act", options.activation == core::GeluKind::kTanh ? "gelu_pytorch_tanh" : "gelu"}};
  if (!is_dinov2) json["intermediate_size"] = options.intermediate_size;
  if (!is_siglip) json["qkv_bias"] = options.qkv_bias;
  if (is_dinov2) {
    json["num_register_tokens"] = options.num_registers;
    json["use_swiglu_ffn"] = options.use_swiglu;
    if (!options.use_swiglu)
      json["mlp_ratio"] = static_cast<double>(options.intermediate_size) / static_cast<double>(options.hidden_size);
  }
  return json;
}

Json ownEncoderConfig(const core::OwnEncoderOptions& options) {
  return {{"model_type", "meanflow_studio_encoder"},
          {"patch_size", options.encoder.network.patch_size},
          {"hidden_size", options.encoder.network.hidden_size},
          {"depth", options.encoder.network.depth},
          {"num_heads", options.encoder.network.num_heads},
          {"mlp_ratio", options.encoder.network.mlp_ratio},
          {"image_size", options.encoder.image_size},
          {"mae_decoder_width", options.mae_decoder_width},
          {"mae_decoder_depth", options.mae_decoder_depth}};
}

std::string officialClass(const core::RecognisedModel& model) {
  switch (model.kind) {
    case core::ModelKind::kDdt:
      return model.isStudent() ? "`DiTwDDTHead_MF` of sony/mf-rae" : "`DiTwDDTHead` of bytetriper/RAE";
    case core::ModelKind::kLightningDit:
      return "`LightningDiT` of bytetriper/RAE";
    case core::ModelKind::kVitDecoder:
      return std::get<core::VitDecoderOptions>(model.sizes).output_head == "conv"
                 ? "MeanFlow Studio's decoder with a convolutional head, which no other code has"
                 : "`GeneralDecoder` of bytetriper/RAE";
    case core::ModelKind::kPretrainedEncoder:
      return "transformers";
    default:
      return "MeanFlow Studio";
  }
}

}  // namespace

std::string hubConfig(const core::RecognisedModel& model) {
  const auto json =
      std::visit(base::Overloaded{[](const core::DdtOptions& o) { return ddtConfig(o); },
                                  [](const core::LightningDitOptions& o) { return lightningConfig(o); },
                                  [](const core::VitDecoderOptions& o) { return decoderConfig(o); },
                                  [](const core::OwnEncoderOptions& o) { return ownEncoderConfig(o); },
                                  [](const core::PretrainedEncoderOptions& o) { return encoderConfig(o); },
                                  [](const auto&) { return Json::object(); }},
                 model.sizes);
  return json.dump(2) + "\n";
}

std::string hubReadme(const core::RecognisedModel& model, const std::string& run, const std::string& stage,
                      std::int64_t step) {
  const bool is_generator = model.kind == core::ModelKind::kDdt || model.kind == core::ModelKind::kLightningDit;
  return fmt::format(
      "---\nlibrary_name: pytorch\ntags:\n- meanflow\n- representation-autoencoder\n{}---\n\n# {}\n\n{}.\n\nWeights of "
      "stage `{}`, step {}, of the run `{}` of MeanFlow Studio. Tensors carry the official names; they load strictly "
      "into {} built with the sizes of `config.json`:\n\n```python\nfrom safetensors.torch import "
      "load_file\nmodel.load_state_dict(load_file(\"model.safetensors\"))\n```\n",
      is_generator ? "- image-generation\npipeline_tag: unconditional-image-generation\n" : "", run,
      model.description(), stage, step, run, officialClass(model));
}

base::Result<std::vector<std::string>> writeHubWeights(const std::filesystem::path& folder,
                                                       const core::Checkpoint& checkpoint, const TensorOrigins& origins,
                                                       std::uint64_t shard_bytes) {
  std::vector<TensorOrigins> shards(1);
  std::uint64_t filled = 0, total = 0;
  for (const auto& planned : plannedTensors(checkpoint, origins)) {
    const auto bytes = base::numBytes(planned.shape, base::dtypeSize(planned.dtype)).value_or(0);
    if (filled > 0 && filled + bytes > shard_bytes) shards.emplace_back(), filled = 0;
    shards.back().emplace(planned.name, planned.origin);
    filled += bytes, total += bytes;
  }
  std::vector<std::string> files;
  Json index = {{"metadata", {{"total_size", total}}}, {"weight_map", Json::object()}};
  for (std::size_t i = 0; i < shards.size(); ++i) {
    files.push_back(shards.size() == 1 ? "model.safetensors"
                                       : fmt::format("model-{:05}-of-{:05}.safetensors", i + 1, shards.size()));
    if (auto written =
            writeTensors(folder / files.back(), checkpoint, shards[i], Finite::kNotChecked, {{"format", "pt"}});
        !written)
      return written.error();
    for (const auto& [name, origin] : shards[i]) index["weight_map"][name] = files.back();
  }
  if (shards.size() == 1) return files;
  files.push_back("model.safetensors.index.json");
  if (auto written = base::writeFileAtomically(folder / files.back(), index.dump(2) + "\n"); !written)
    return written.error();
  return files;
}

}  // namespace meanflow::training
