// SPDX-License-Identifier: Apache-2.0
#include "core/models/pretrained_encoder.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

namespace meanflow::core {
namespace {

/// Names of the parameters outside the layers.
struct FamilyNames {
  std::string_view prefix, patches, class_token, positions, layers, norm;
};
const FamilyNames& namesOf(EncoderFamily family) {
  static constexpr FamilyNames dinov2 = {.prefix = "",
                                         .patches = "embeddings.patch_embeddings.projection",
                                         .class_token = "embeddings.cls_token",
                                         .positions = "embeddings.position_embeddings",
                                         .layers = "encoder.layer",
                                         .norm = "layernorm"};
  static constexpr FamilyNames mae = {.prefix = "vit.",
                                      .patches = "vit.embeddings.patch_embeddings.projection",
                                      .class_token = "vit.embeddings.cls_token",
                                      .positions = "vit.embeddings.position_embeddings",
                                      .layers = "vit.encoder.layer",
                                      .norm = "vit.layernorm"};
  static constexpr FamilyNames siglip = {.prefix = "vision_model.",
                                         .patches = "vision_model.embeddings.patch_embedding",
                                         .class_token = "",
                                         .positions = "vision_model.embeddings.position_embedding.weight",
                                         .layers = "vision_model.encoder.layers",
                                         .norm = "vision_model.post_layernorm"};
  switch (family) {
    case EncoderFamily::kDinov2:
      return dinov2;
    case EncoderFamily::kMae:
      return mae;
    case EncoderFamily::kSiglip2:
      return siglip;
  }
  TORCH_CHECK(false, "unknown encoder family");
}

const VitLayerNames& layerNames(const PretrainedEncoderOptions& options) {
  switch (options.family) {
    case EncoderFamily::kDinov2:
      return dinov2LayerNames(options.use_swiglu);
    case EncoderFamily::kMae:
      return vitMaeLayerNames();
    case EncoderFamily::kSiglip2:
      return siglipLayerNames();
  }
  TORCH_CHECK(false, "unknown encoder family");
}

bool startsWithAny(std::string_view name, std::initializer_list<std::string_view> prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](std::string_view prefix) { return name.starts_with(prefix); });
}

/// Reads keys of one JSON object and remembers the first that is missing or of the wrong type.
class Reader {
 public:
  explicit Reader(const nlohmann::json& object) : object_(object) {}
  void integer(const char* key, std::int64_t& value, std::int64_t min, std::int64_t max) {
    if (const auto* found = find(key)) {
      if (found->is_array() && found->size() == 1) found = &found->front();
      if (!found->is_number_integer()) return fail(key, "must be a whole number", *found);
      const auto number = found->get<std::int64_t>();
      if (number < min || number > max)
        return fail(key, "must lie between " + std::to_string(min) + " and " + std::to_string(max), *found);
      value = number;
    }
  }
  void number(const char* key, double& value) {
    if (const auto* found = find(key)) {
      if (!found->is_number()) return fail(key, "must be a number", *found);
      value = found->get<double>();
    }
  }
  void flag(const char* key, bool& value) {
    if (const auto* found = find(key)) {
      if (!found->is_boolean()) return fail(key, "must be true or false", *found);
      value = found->get<bool>();
    }
  }
  void activation(GeluKind& value) {
    if (const auto* found = find("hidden_act")) {
      const auto name = found->is_string() ? found->get<std::string>() : found->dump();
      if (name == "gelu") {
        value = GeluKind::kExact;
      } else if (name == "gelu_pytorch_tanh" || name == "gelu_new") {
        value = GeluKind::kTanh;
      } else {
        fail("hidden_act", "must be gelu or gelu_pytorch_tanh", *found);
      }
    }
  }
  const std::string& error() const { return error_; }

 private:
  const nlohmann::json* find(const char* key) const {
    const auto found = object_.find(key);
    return found == object_.end() || found->is_null() ? nullptr : &*found;
  }
  void fail(const char* key, const std::string& what, const nlohmann::json& seen) {
    if (error_.empty())
      error_ = std::string("encoder config: ") + key + " " + what + ", found " + seen.dump().substr(0, 60);
  }
  const nlohmann::json& object_;
  std::string error_;
};

}  // namespace

std::string_view toString(EncoderFamily family) {
  switch (family) {
    case EncoderFamily::kDinov2:
      return "dinov2";
    case EncoderFamily::kMae:
      return "mae";
    case EncoderFamily::kSiglip2:
      return "siglip2";
  }
  return "?";
}

base::Result<PretrainedEncoderOptions> pretrainedEncoderOptions(const nlohmann::json& config) {
  if (!config.is_object()) return base::Error{"encoder config: not a JSON object"};
  const auto type =
      config.contains("model_type") && config["model_type"].is_string() ? config["model_type"].get<std::string>() : "";
  PretrainedEncoderOptions options;
  const auto* keys = &config;
  if (type == "dinov2_with_registers") {
    options.family = EncoderFamily::kDinov2;
    options.image_size = 224, options.patch_size = 16;  // defaults of Dinov2WithRegistersConfig
  } else if (type == "vit_mae") {
    options.family = EncoderFamily::kMae;
    options.image_size = 224, options.patch_size = 16, options.layer_norm_eps = 1e-12;
  } else if (type == "siglip" || type == "siglip_vision_model") {
    options.family = EncoderFamily::kSiglip2;
    options.image_size = 224, options.patch_size = 16, options.activation = GeluKind::kTanh;
    if (type == "siglip") {
      if (!config.contains("vision_config") || !config["vision_config"].is_object())
        return base::Error{"encoder config: a siglip model needs vision_config"};
      keys = &config["vision_config"];
    }
  } else {
    return base::Error{"encoder config: model_type '" + type +
                       "' is not supported; use dinov2_with_registers, vit_mae or siglip"};
  }
  Reader reader(*keys);
  reader.integer("hidden_size", options.hidden_size, 1, 1 << 16);
  reader.integer("num_hidden_layers", options.depth, 0, 512);
  reader.integer("num_attention_heads", options.num_heads, 1, 4096);
  reader.integer("patch_size", options.patch_size, 1, 1024);
  reader.integer("image_size", options.image_size, 1, 1 << 15);
  reader.integer("num_channels", options.num_channels, 1, 64);
  reader.number("layer_norm_eps", options.layer_norm_eps);
  reader.activation(options.activation);
  if (options.family == EncoderFamily::kDinov2) {
    double mlp_ratio = 4;
    reader.number("mlp_ratio", mlp_ratio);
    if (!(mlp_ratio > 0 && mlp_ratio <= 64)) return base::Error{"encoder config: mlp_ratio must lie between 0 and 64"};
    reader.integer("num_register_tokens", options.num_registers, 0, 4096);
    reader.number("layerscale_value", options.layer_scale);
    reader.flag("qkv_bias", options.qkv_bias);
    reader.flag("use_swiglu_ffn", options.use_swiglu);
    options.intermediate_size = static_cast<std::int64_t>(static_cast<double>(options.hidden_size) * mlp_ratio);
    // The gated MLP has two thirds of the width, rounded up to a multiple of 8 (Dinov2WithRegistersSwiGLUFFN).
    if (options.use_swiglu)
      options.intermediate_size =
          (static_cast<std::int64_t>(static_cast<double>(options.intermediate_size) * 2 / 3) + 7) / 8 * 8;
  } else {
    options.num_registers = 0;
    reader.integer("intermediate_size", options.intermediate_size, 1, 1 << 18);
    if (options.family == EncoderFamily::kMae) reader.flag("qkv_bias", options.qkv_bias);
  }
  if (!reader.error().empty()) return base::Error{reader.error()};
  return options;
}

PretrainedEncoderImpl::PretrainedEncoderImpl(const PretrainedEncoderOptions& options) : options_(options) {
  const auto& names = namesOf(options.family);
  const auto width = options.hidden_size, p = options.patch_size;
  TORCH_CHECK(p > 0 && options.image_size >= p, "encoder: image_size ", options.image_size, " is below patch_size ", p);
  const auto side = options.image_size / p;
  const bool has_class_token = !names.class_token.empty();
  if (has_class_token) class_token_ = registerParameterAt(*this, names.class_token, torch::zeros({1, 1, width}));
  if (options.family == EncoderFamily::kDinov2) {
    registerParameterAt(*this, "embeddings.mask_token",
                        torch::zeros({1, width}));  // in the files; used in pre-training alone
    register_tokens_ =                              // a file without registers has a tensor without rows
        registerParameterAt(*this, "embeddings.register_tokens", torch::zeros({1, options.num_registers, width}));
  }
  // SigLIP keeps its positions in a table [N, D], the others as one row of a batch [1, N + 1, D].
  positions_ = has_class_token ? registerParameterAt(*this, names.positions, torch::zeros({1, side * side + 1, width}))
                               : registerParameterAt(*this, names.positions, torch::zeros({side * side, width}));
  patches_ = registerAt(*this, names.patches,
                        torch::nn::Conv2d(torch::nn::Conv2dOptions(options.num_channels, width, p).stride(p)));
  const VitLayerOptions layer{.width = width,
                              .num_heads = options.num_heads,
                              .hidden_width = options.intermediate_size,
                              .layer_norm_eps = options.layer_norm_eps,
                              .qkv_bias = options.qkv_bias,
                              .use_swiglu = options.use_swiglu,
                              .activation = options.activation,
                              .layer_scale = options.layer_scale};
  torch::nn::ModuleList list;
  for (std::int64_t i = 0; i < options.depth; ++i) {
    layers_.emplace_back(layer, layerNames(options));
    list->push_back(layers_.back());
  }
  registerAt(*this, names.layers, list);
  norm_ = registerAt(*this, names.norm, TokenNorm(NormKind::kLayerAffine, width, options.layer_norm_eps));
}

torch::Tensor PretrainedEncoderImpl::positionsFor(std::int64_t height, std::int64_t width) const {
  const auto all = positions_.dim() == 2 ? positions_.unsqueeze(0) : positions_;
  const auto num_prefix = class_token_.defined() ? 1 : 0;
  const auto rows = height / options_.patch_size, columns = width / options_.patch_size;
  const auto side = options_.image_size / options_.patch_size;
  if (rows * columns == side * side && height == width) return all;
  const auto grid = all.slice(1, num_prefix).reshape({1, side, side, -1}).permute({0, 3, 1, 2});
  // DINOv2's library antialiases and works in float32, the other two do neither.
  const auto wide = grid.scalar_type() == torch::kFloat64 ? grid : grid.to(torch::kFloat32);
  const bool antialias = options_.family == EncoderFamily::kDinov2;
  const auto resized = antialias ? at::_upsample_bicubic2d_aa(wide, {rows, columns}, /*align_corners=*/false)
                                 : at::upsample_bicubic2d(wide, {rows, columns}, /*align_corners=*/false);
  const auto tokens = resized.to(grid.scalar_type()).permute({0, 2, 3, 1}).reshape({1, rows * columns, -1});
  return num_prefix == 0 ? tokens : torch::cat({all.slice(1, 0, num_prefix), tokens}, 1);
}

torch::Tensor PretrainedEncoderImpl::embed(const torch::Tensor& images) {
  TORCH_CHECK(images.dim() == 4 && images.size(1) == options_.num_channels, toString(options_.family),
              " encoder: expected images [B, ", options_.num_channels, ", H, W], got ", images.sizes());
  const auto patches = patches_(images).flatten(2).transpose(1, 2);
  const auto positions = positionsFor(images.size(2), images.size(3));
  if (!class_token_.defined()) return patches + positions;
  const auto B = patches.size(0);
  const auto h = torch::cat({class_token_.expand({B, -1, -1}), patches}, 1) + positions;
  if (options_.num_registers == 0) return h;
  // After the class token, without positions.
  return torch::cat({h.slice(1, 0, 1), register_tokens_.expand({B, -1, -1}), h.slice(1, 1)}, 1);
}

torch::Tensor PretrainedEncoderImpl::forward(const torch::Tensor& images) {
  auto h = embed(images);
  for (auto& layer : layers_) h = layer(h);
  h = options_.final_norm_affine ? norm_(h)
                                 : at::layer_norm(h, {options_.hidden_size}, {}, {}, options_.layer_norm_eps);
  return h.slice(1, (class_token_.defined() ? 1 : 0) + options_.num_registers);
}

std::optional<std::string> encoderTensorName(EncoderFamily family, std::string_view file_name) {
  if (startsWithAny(file_name, {"text_model.", "logit_scale", "logit_bias", "decoder.", "classifier."}))
    return std::nullopt;
  // Prefixes under which the same encoder is saved by models with a head, and by the bare model.
  for (const std::string_view known : {"dinov2_with_registers.", "vit.", "vision_model."})
    if (file_name.starts_with(known)) {
      file_name.remove_prefix(known.size());
      break;
    }
  if (family == EncoderFamily::kSiglip2 && startsWithAny(file_name, {"head.", "embeddings.position_ids"}))
    return std::nullopt;
  return std::string(namesOf(family).prefix) + std::string(file_name);
}

std::map<std::string, torch::Tensor> encoderTensors(EncoderFamily family,
                                                    const std::map<std::string, torch::Tensor>& file) {
  std::map<std::string, torch::Tensor> result;
  for (const auto& [file_name, tensor] : file)
    if (const auto name = encoderTensorName(family, file_name)) result.emplace(*name, tensor);
  return result;
}

}  // namespace meanflow::core
