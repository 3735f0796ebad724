// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "core/cost/network_cost.h"

namespace meanflow::core {

using NetworkShape =
    std::variant<DdtShape, LightningDitShape, DitShape, FrozenEncoderShape, VitDecoderShape, SdVaeShape>;

NetworkCost networkCost(const NetworkShape& shape);

/// The published network of a name as papers write it: family, size letter, patch and image side, e.g. "DiTDH-XL 256
/// (teacher)", "MF-RAE student DiTDH-XL 512", "SiT-XL/2 256", "MeanFlow SiT-B/4 256", "LightningDiT-XL/1 on RAE
/// latents", "DINOv2-B/14 reg encoder 224", "RAE ViT-L decoder 256", "SD-VAE decoder 512". The image side is 256
/// (encoders: their own) when it is not given. "(learn_sigma)" and "(no learn_sigma)" override the family's default.
/// Nothing for an unknown name.
std::optional<NetworkShape> namedNetwork(std::string_view name);

}  // namespace meanflow::core
