// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "core/base/config/run_config.h"
#include "core/base/image.h"
#include "core/data/counter_random.h"

namespace meanflow::core {

/// One drawn distortion. Shifts are in pixels of the finished image.
struct Distortion {
  double rotation_degrees = 0;
  double scale = 1;
  double shift_x = 0, shift_y = 0;
  bool flip = false;
};

/// Uniform within the ranges of `config`; flips half of the pictures when `may_flip`.
Distortion drawDistortion(const base::DataConfig& config, bool may_flip, CounterRandom random);

/// Turns, scales, shifts and flips `image` about its centre (bilinear, white outside) and averages 2x2 pixels: an image
/// of even side 2 s becomes s x s. Integer arithmetic, so every machine makes the same bytes.
base::Image8 distortAndHalve(const base::Image8& image, const Distortion& distortion);

}  // namespace meanflow::core
