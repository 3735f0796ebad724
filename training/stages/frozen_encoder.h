// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "core/base/config/run_config.h"
#include "core/base/run/run_folder.h"
#include "core/latents/rae_codec.h"
#include "core/models/pretrained_encoder.h"

namespace meanflow::training {

/// Side of the images that go into the encoder: encoder.input_size, or data.image_size where that is 0.
std::int64_t encoderInputSize(const base::RunConfig& config);

/// Size of the encoder's input, and the mean and deviation that images are normalised with: 0.5 for our own encoder and
/// SigLIP2, ImageNet's for DINOv2 and MAE (their preprocessors, as bytetriper/RAE reads them).
core::RaeCodecOptions codecOptions(const base::RunConfig& config);

/// The published encoder of encoder.kind: from encoder.weights, else from the run folder, into which `meanflow import`
/// puts it. Sizes come from its tensors (and a config.json beside them) and have to be those of encoder.model. Throws
/// std::runtime_error naming the file and what does not fit.
core::PretrainedEncoder loadFrozenEncoder(const base::RunConfig& config, const base::RunFolder& folder);
/// The one that encoder.weights names.
core::PretrainedEncoder loadNamedEncoder(const base::RunConfig& config);

}  // namespace meanflow::training
