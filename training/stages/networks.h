// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "core/base/config/run_config.h"
#include "core/base/run/run_folder.h"
#include "core/latents/latent_statistics.h"
#include "core/latents/rae_codec.h"
#include "core/models/ddt.h"
#include "core/models/masked_autoencoder.h"
#include "core/models/vit_decoder.h"
#include "training/optim/named_tensors.h"

namespace meanflow::training {

/// Shape of the latent space of a configuration.
struct LatentShape {
  std::int64_t channels = 0, side = 0;
  std::int64_t dim() const { return channels * side * side; }
  std::vector<std::int64_t> sizes() const { return {channels, side, side}; }
};
LatentShape latentShape(const base::RunConfig& config);

// Freshly initialised networks. The start depends on (config.seed, name of the network) alone, also when several
// threads build at once.
core::MaskedAutoencoder makeEncoder(const base::RunConfig& config);
core::VitDecoder makeDecoder(const base::RunConfig& config);
core::DiTwDDTHead makeTeacher(const base::RunConfig& config, std::int64_t num_classes);
core::DiTwDDTHead makeStudent(const base::RunConfig& config, std::int64_t num_classes);

enum class Weights { kEma, kModel };

/// What to do where a stage has left no weights.
enum class IfMissing {
  kRefuse,   ///< Throw, naming the stage that has to run first.
  kInitial,  ///< Leave the network as it starts, and latents as the encoder makes them: for dry runs.
};

/// Copies the newest readable checkpoint of `stage` (or the one at `step`, if not negative) into `module`. Throws
/// std::runtime_error naming the file and the tensors that do not fit, or the stage that has to run first.
void loadStageWeights(torch::nn::Module& module, const base::RunFolder& folder, const std::string& stage,
                      Weights weights = Weights::kEma, std::int64_t step = -1);

/// The weights of `stage` that the configuration names (external_weights.h), else the run folder's as above; a `step`
/// that is not negative always means the run folder. Throws std::runtime_error as well.
void loadWeights(torch::nn::Module& module, const base::RunConfig& config, const base::RunFolder& folder,
                 const std::string& stage, Weights weights = Weights::kEma, std::int64_t step = -1,
                 IfMissing if_missing = IfMissing::kRefuse);

/// Copies averages by name over the module's parameters.
void copyAverages(torch::nn::Module& module, const NamedTensors& averages);

/// Latent statistics: those of decoder.statistics, else what a finished decoder stage left in the run folder.
void saveLatentMoments(const base::RunFolder& folder, const core::LatentMoments& moments);
bool hasLatentMoments(const base::RunConfig& config, const base::RunFolder& folder);
core::LatentMoments loadLatentMoments(const base::RunConfig& config, const base::RunFolder& folder);

/// Images in [0, 1] in the units the encoder works in.
torch::Tensor normaliseImages(const torch::Tensor& images);

/// Encoder (as trained, or a published one) and a decoder of the caller's, without latent statistics: what the decoder
/// stage works with.
core::RaeCodec makeRawCodec(const base::RunConfig& config, const base::RunFolder& folder, core::VitDecoder decoder,
                            torch::Device device, IfMissing if_missing = IfMissing::kRefuse);

enum class CodecUse {
  kEncodeAndDecode,
  kDecode,  ///< Without an encoder, which sampling never needs: encode() throws std::logic_error.
};

/// The finished autoencoder of a run: encoder and decoder averages, latent statistics. Evaluation mode, no gradients.
std::shared_ptr<core::RaeCodec> loadCodec(const base::RunConfig& config, const base::RunFolder& folder,
                                          torch::Device device, CodecUse use = CodecUse::kEncodeAndDecode,
                                          IfMissing if_missing = IfMissing::kRefuse);

/// The trained teacher (averages), evaluation mode, frozen.
core::DiTwDDTHead loadTeacher(const base::RunConfig& config, const base::RunFolder& folder, std::int64_t num_classes,
                              torch::Device device, IfMissing if_missing = IfMissing::kRefuse);
/// The student as `stage` left it.
core::DiTwDDTHead loadStudent(const base::RunConfig& config, const base::RunFolder& folder, const std::string& stage,
                              std::int64_t num_classes, torch::Device device, Weights weights = Weights::kEma,
                              std::int64_t step = -1);

/// Freezes a module: evaluation mode, no gradients.
void freeze(torch::nn::Module& module);

/// Stage whose student weights are the run's best: mean_flow if it has any, else cmt. Empty when there is neither.
std::string newestStudentStage(const base::RunConfig& config, const base::RunFolder& folder);

}  // namespace meanflow::training
