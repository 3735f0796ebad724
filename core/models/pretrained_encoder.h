// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/nn/named_vit_layer.h"

namespace meanflow::core {

/// Families of frozen encoders that RAE is published for (arXiv:2510.11690).
enum class EncoderFamily {
  kDinov2,   ///< facebook/dinov2-with-registers-*: class token, registers, layer scale; positions resized with
             ///< antialias.
  kMae,      ///< facebook/vit-mae-*: class token; LayerNorm eps 1e-12; positions resized without antialias.
  kSiglip2,  ///< google/siglip2-*, fixed resolution: no class token, GELU tanh.
};
std::string_view toString(EncoderFamily family);  ///< "dinov2", "mae", "siglip2"

/// Sizes of an encoder; the defaults are DINOv2-B with registers. Presets: core/models/model_presets.h.
struct PretrainedEncoderOptions {
  EncoderFamily family = EncoderFamily::kDinov2;
  std::int64_t hidden_size = 768;
  std::int64_t depth = 12;
  std::int64_t num_heads = 12;
  std::int64_t intermediate_size = 3072;  ///< MLP width; with use_swiglu of each half.
  std::int64_t patch_size = 14;
  std::int64_t image_size = 518;   ///< Pre-training size: the stored positions are a grid of image_size / patch_size.
  std::int64_t num_registers = 4;  ///< DINOv2 only.
  std::int64_t num_channels = 3;
  double layer_norm_eps = 1e-6;
  double layer_scale = 1;  ///< DINOv2 only: start of the layer scales.
  bool qkv_bias = true;
  bool use_swiglu = false;  ///< DINOv2 only (the giant model).
  GeluKind activation = GeluKind::kExact;
  bool final_norm_affine =
      false;  ///< RAE leaves the last LayerNorm's weight and bias out (`normalize` of its wrapper).
};

/// Reads a Hugging Face config.json (dinov2_with_registers, vit_mae, siglip or its vision part). The error names the
/// key.
base::Result<PretrainedEncoderOptions> pretrainedEncoderOptions(const nlohmann::json& config);

/// A frozen ViT under the parameter names of its published file (transformers 4.x): `embeddings.*` and
/// `encoder.layer.*` for DINOv2, the same below `vit.` for MAE, `vision_model.*` for SigLIP2. The last norm's weight
/// and bias are parameters, because the files hold them, and only used under final_norm_affine. Numbers follow
/// transformers 4.57 as bytetriper/RAE calls it.
class PretrainedEncoderImpl : public torch::nn::Module {
 public:
  explicit PretrainedEncoderImpl(const PretrainedEncoderOptions& options);

  /// Normalised images [B, 3, H, W] (any multiple of the patch size) -> tokens [B, N, hidden_size], row-major, without
  /// class token and registers. Stored positions are resized to the token grid where it differs.
  torch::Tensor forward(const torch::Tensor& images);
  /// What the layers start from: class token, registers, patches with positions [B, 1 + num_registers + N,
  /// hidden_size].
  torch::Tensor embed(const torch::Tensor& images);
  /// Positions for images of that size [1, N (+ 1 with a class token), hidden_size].
  torch::Tensor positionsFor(std::int64_t height, std::int64_t width) const;

  const PretrainedEncoderOptions& options() const { return options_; }

 private:
  PretrainedEncoderOptions options_;
  torch::nn::Conv2d patches_{nullptr};
  torch::Tensor class_token_, register_tokens_, positions_;
  std::vector<NamedVitLayer> layers_;
  TokenNorm norm_{nullptr};
};
TORCH_MODULE(PretrainedEncoder);

/// The name in `family`'s module of a tensor of a published file: adds or drops the family's prefix where a file was
/// saved with another head. Nothing for what the encoder never uses (pooling head, text tower, MAE's decoder).
std::optional<std::string> encoderTensorName(EncoderFamily family, std::string_view file_name);

/// Maps the tensors of a published file by encoderTensorName.
std::map<std::string, torch::Tensor> encoderTensors(EncoderFamily family,
                                                    const std::map<std::string, torch::Tensor>& file);

}  // namespace meanflow::core
