// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "training/optim/named_tensors.h"

namespace meanflow::training {

/// Gradients of the parameters that have one.
std::vector<torch::Tensor> gradients(const NamedTensors& parameters);

/// 2-norms of the gradients, on their device: nothing waits for it here.
struct GradientNorms {
  torch::Tensor each;    ///< [n] of the parameters that have a gradient, in their order.
  torch::Tensor global;  ///< Scalar, of all together.
};
GradientNorms gradientNorms(const NamedTensors& parameters);

/// Scales the gradients so that their global 2-norm `norm` becomes at most max_norm (factor max_norm / (norm + 1e-6),
/// at most 1, as torch.nn.utils.clip_grad_norm_); 0 = off. A norm that is not finite changes nothing: it would spread
/// to every gradient and hide the tensor it came from.
void scaleGradients(const NamedTensors& parameters, const torch::Tensor& norm, double max_norm);

/// Both of the above; returns the global norm before clipping.
torch::Tensor clipGradNorm(const NamedTensors& parameters, double max_norm);

/// Scalar bool tensor on the device: whether every entry is finite.
torch::Tensor allFinite(at::TensorList tensors);

/// Name of the first tensor with a NaN or an infinity, or empty. Waits for the device: for the error message only.
std::string firstNonFinite(const NamedTensors& tensors);

}  // namespace meanflow::training
