// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <torch/types.h>

#include <array>

namespace meanflow::core {

/// Between images [B, 3, H, W] in [0, 1] and the latents [B, C, h, w] that flows live on.
class LatentCodec {
 public:
  virtual ~LatentCodec() = default;
  /// No gradient flows through encoding.
  virtual torch::Tensor encode(const torch::Tensor& images) = 0;
  /// Values may leave [0, 1]; callers clamp before they quantise.
  virtual torch::Tensor decode(const torch::Tensor& latents) = 0;
  virtual std::array<std::int64_t, 3> latentShape() const = 0;  ///< {C, h, w}
};

}  // namespace meanflow::core
