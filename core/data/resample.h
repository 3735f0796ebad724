// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "core/base/image.h"

namespace meanflow::core {

enum class ResampleFilter { kBox, kBilinear, kBicubic, kLanczos };

/// Resizes with antialiasing as Pillow does for 8-bit images: each axis is a weighted mean with the filter stretched by
/// the reduction factor, weights in 22-bit fixed point, the horizontal pass first and rounded to 8 bits before the
/// vertical one; an axis whose size does not change is left alone. Bit-exact with Pillow. Throws c10::Error on empty
/// sizes.
base::Image8 resample(const base::Image8& image, int width, int height, ResampleFilter filter);

/// The `width` x `height` window of `image` whose top-left corner is (left, top).
base::Image8 crop(const base::Image8& image, int left, int top, int width, int height);

/// The preprocessing of ADM (openai/guided-diffusion, center_crop_arr): halve with BOX while the shorter side is at
/// least 2 * size, bring the shorter side to `size` with BICUBIC, cut out the centre. Returns size x size.
base::Image8 centerCrop(const base::Image8& image, int size);

/// Shorter side to `size` with BICUBIC, the longer one in proportion, rounded down (torchvision's Resize).
base::Image8 resizeShorterSide(const base::Image8& image, int size);

}  // namespace meanflow::core
