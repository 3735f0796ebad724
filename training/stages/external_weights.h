// SPDX-License-Identifier: Apache-2.0
//
// Finished weights that a configuration names (encoder.weights, decoder.weights and .statistics, teacher.weights,
// cmt.weights, mean_flow.weights): any file or folder that core::Checkpoint opens, or a hub name that is in the cache.
// A stage whose weights are named is not trained.
#pragma once
#include <torch/nn/module.h>

#include <string>

#include "core/base/config/run_config.h"
#include "core/base/run/run_folder.h"
#include "core/checkpoint/checkpoint_contents.h"
#include "core/latents/latent_statistics.h"

namespace meanflow::training {

/// Value of the key that names a stage's finished weights; empty where nothing is named.
std::string namedWeights(const base::RunConfig& config, const std::string& stage);

/// Whether `stage` is taken as it is instead of being trained: its weights are named, or its encoder is a published
/// one. `why` becomes a sentence for the log.
bool isTakenAsIs(const base::RunConfig& config, const std::string& stage, std::string& why);

/// Whether there are weights of a stage to work with: named ones, or a checkpoint in the run folder.
bool hasWeights(const base::RunConfig& config, const base::RunFolder& folder, const std::string& stage);

/// A checkpoint and the network in it that somebody asked for.
struct OpenedWeights {
  core::Checkpoint checkpoint;
  core::CheckpointContents contents;
};
/// Opens what a key names. The error begins with the key.
base::Result<OpenedWeights> openWeights(const std::string& key, const std::string& path_or_hub_name,
                                        const core::KnownSizes& known = {});

/// The part of one of `kinds`. The error says what the file holds instead.
base::Result<const core::CheckpointPart*> partOf(const OpenedWeights& weights, const std::string& key,
                                                 std::initializer_list<core::ModelKind> kinds);

/// Fills `module` with the weights that the configuration names for `stage`, entirely or not at all. Throws
/// std::runtime_error naming the key, the file and what does not fit.
void loadNamedWeights(torch::nn::Module& module, const base::RunConfig& config, const std::string& stage,
                      core::WeightSet set);

/// {mean, var} of a stat.pt or a file of ours. Throws as above; also unless all variances are at least zero.
core::LatentMoments loadNamedStatistics(const std::string& path);

}  // namespace meanflow::training
