// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <string>

#include "core/checkpoint/checkpoint.h"
#include "core/checkpoint/recognised_model.h"
#include "training/exchange/stage_writer.h"

namespace meanflow::training {

/// config.json of a network: the arguments of the official constructor (DiTwDDTHead, DiTwDDTHead_MF, LightningDiT), a
/// vit_mae configuration for RAE's decoder, transformers' own for published encoders.
std::string hubConfig(const core::RecognisedModel& model);

/// README.md with front matter: what the model is, where it was trained, how it is loaded.
std::string hubReadme(const core::RecognisedModel& model, const std::string& run, const std::string& stage,
                      std::int64_t step);

/// model.safetensors, or model-00001-of-0000N.safetensors with model.safetensors.index.json where it is larger than
/// `shard_bytes`. Returns the names of the files.
base::Result<std::vector<std::string>> writeHubWeights(const std::filesystem::path& folder,
                                                       const core::Checkpoint& checkpoint, const TensorOrigins& origins,
                                                       std::uint64_t shard_bytes);

}  // namespace meanflow::training
