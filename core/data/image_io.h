// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <torch/torch.h>

#include <filesystem>
#include <string>
#include <vector>

#include "core/base/image.h"
#include "core/base/result.h"

namespace meanflow::core {

/// Reads a PNG (libpng) or JPEG (libjpeg-turbo), told apart by content, as RGB. An alpha channel is dropped, not
/// blended, as in Pillow's convert("RGB"). Errors name the file and what is wrong with it (missing, other format, cut
/// short).
base::Result<base::Image8> readImage(const std::filesystem::path& path);

/// One picture, uint8 [3, H, W].
torch::Tensor toTensor(const base::Image8& image);

/// Pictures of `images` [B, 3, H, W]: floating point in [0, 1] (clamped, times 255, truncated: the rounding of the
/// reference evaluation), or uint8 as it is. Any device.
std::vector<base::Image8> toImages(const torch::Tensor& images);

/// The pictures of `images` [N, 3, H, W] (as for toImages) row by row, `cols` a row, each pixel a scale x scale square
/// with nothing interpolated, `padding` white pixels between cells. The last row is filled up with white.
base::Image8 makeGrid(const torch::Tensor& images, std::int64_t cols, int padding = 0, int scale = 1);

/// makeGrid with row_labels[i] written left of row i and, when not empty, a title line above.
base::Image8 makeLabelledGrid(const torch::Tensor& images, std::int64_t cols,
                              const std::vector<std::string>& row_labels, const std::string& title = "",
                              int padding = 0, int scale = 1);

}  // namespace meanflow::core
