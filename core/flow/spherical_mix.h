// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <torch/types.h>

namespace meanflow::core {

/// Spherical interpolation row by row: sin((1 - s) theta) / sin(theta) a + sin(s theta) / sin(theta) b, theta the angle
/// between the rows a and b. A straight mixture of two independent noises has norm sqrt((1 - s)^2 + s^2) of theirs, .7
/// half way, where a network that was trained on noise has never been; on the sphere the norm stays between the two.
/// Shapes: from, to [B, ...], share [B] in [0, 1] -> [B, ...]. Exactly `from` at 0 and `to` at 1. Rows that (nearly)
/// agree or oppose each other are mixed straight.
torch::Tensor sphericalMix(const torch::Tensor& from, const torch::Tensor& to, const torch::Tensor& share);

}  // namespace meanflow::core
