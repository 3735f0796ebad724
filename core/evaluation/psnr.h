// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <torch/torch.h>

namespace meanflow::core {

/// Peak signal-to-noise ratio in dB: the mean over images of 20 log10(1 / sqrt(mse)), with the mse of an image on [0,
/// 1] not below 1e-10 (identical images give 100 dB), as in RAE's src/eval/ref_iqa.py. uint8 tensors are divided by
/// 255, floating ones are taken as [0, 1]. Any layout with images along the first axis.
double psnr(const torch::Tensor& images, const torch::Tensor& reference);

}  // namespace meanflow::core
