// SPDX-License-Identifier: Apache-2.0
//
// The networks of a configuration as shapes.
#pragma once
#include <optional>
#include <variant>

#include "core/base/result.h"
#include "core/cost/catalog.h"

namespace meanflow::core {

/// Side and channels of the latents: what the encoder makes of an image.
struct LatentSize {
  std::int64_t channels = 0, side = 0;
};
LatentSize latentSize(const base::RunConfig& config);

/// data.num_classes, or the 8 of the emoji set where only the data knows.
std::int64_t numClasses(const base::RunConfig& config);

/// Encoder as used for latents: frozen or our own.
NetworkCost encoderCost(const base::RunConfig& config);
NetworkCost decoderCost(const base::RunConfig& config);
/// DiT-DH or LightningDiT by teacher.architecture; `is_student` adds the second time embedder.
NetworkCost generatorCost(const base::RunConfig& config, bool is_student);
/// The weaker network of sampling.guidance (AutoGuidance).
NetworkCost guidingCost(const base::RunConfig& config);

/// Whether sizes fit together: patches divide images, heads divide widths, lists have the length the network needs. The
/// error names the keys.
base::Result<void> checkShapes(const base::RunConfig& config);

}  // namespace meanflow::core
