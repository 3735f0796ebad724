// SPDX-License-Identifier: Apache-2.0
//
// Published sizes by name. A preset is a value: change what you need, then build the network from it.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/models/ddt.h"
#include "core/models/lightning_dit.h"
#include "core/models/pretrained_encoder.h"
#include "core/models/vit_decoder.h"

namespace meanflow::core {

/// DiT-DH "S", "B", "L" or "XL" on latents of 768 channels (bytetriper/RAE; S is its AutoGuidance model), as teacher
/// or, with a second time embedder, as the MeanFlow student of sony/mf-rae. latent_side: 16 for 256 px, 32 for 512 px.
/// Throws c10::Error for other names.
DdtOptions ddtPreset(std::string_view size, bool is_student, std::int64_t latent_side);

/// LightningDiT-XL/1, RAE's model without a head.
LightningDitOptions lightningDitPreset(std::int64_t latent_side);

/// RAE's ViT decoder "B", "L" or "XL" (16 pixels a token). Throws c10::Error for other names.
VitDecoderOptions vitDecoderPreset(std::string_view size, std::int64_t latent_side);

/// "dinov2-b" (facebook/dinov2-with-registers-base), "mae-b" (facebook/vit-mae-base), "siglip2-b"
/// (google/siglip2-base-patch16-256). Throws c10::Error for other names.
PretrainedEncoderOptions encoderPreset(std::string_view name);

/// One network at its true size.
struct ModelPreset {
  std::string_view name;
  std::shared_ptr<torch::nn::Module> (*build)();  ///< Inside a MetaScope it takes no memory.
  std::int64_t num_parameters =
      0;  ///< Published or counted from the published file, frozen ones included; 0 = not known.
};
std::span<const ModelPreset> modelPresets();

/// Number of values of all parameters (buffers are not counted).
std::int64_t countParameters(const torch::nn::Module& module);

}  // namespace meanflow::core
