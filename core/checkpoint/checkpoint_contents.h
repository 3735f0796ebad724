// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/checkpoint/checkpoint.h"
#include "core/checkpoint/recognised_model.h"
#include "core/checkpoint/weight_mapping.h"

namespace meanflow::core {

/// Which of a file's sets of weights.
enum class WeightSet {
  kAverage,  ///< The moving average, where there is none the weights: what the official loaders take.
  kRaw,      ///< The weights, where there are none the average.
};

/// One network in a checkpoint. The positions are those of Checkpoint::tensors(), the names the network's.
struct CheckpointPart {
  RecognisedModel model;
  std::map<std::string, std::size_t> raw, average;  ///< Either may be empty, not both.
  std::string raw_group, average_group;             ///< Where they lie: "model", "state_dict.ema_denoiser", "".
  std::vector<std::string> ignored;                 ///< Never used by this network.

  /// One tensor a name. An average that covers parameters alone is completed by the weights' tables.
  std::map<std::string, std::size_t> tensors(WeightSet set) const;
  TensorShapes shapes(const Checkpoint& checkpoint, WeightSet set) const;
};

/// What a checkpoint holds, told from its tensors and keys.
struct CheckpointContents {
  std::vector<CheckpointPart> parts;           ///< Empty when no network is known.
  std::optional<std::string> optimizer_group;  ///< "opt", "optimizer", "" for a file of its own.
  std::optional<std::int64_t> step;            ///< train_steps, step or global_step; of a run's checkpoint.
  std::vector<std::string> notes;              ///< What a person should know.
  std::int64_t num_other_tensors = 0;          ///< In no part: optimiser state, a discriminator.

  /// One line.
  std::string description() const;
};

/// Which groups hold weights follows the official loaders: `ema` where there is one; else, unlike them, also `model`;
/// `state_dict.ema_denoiser` and `state_dict.denoiser` of Lightning files; else the file itself. Names of wrappers
/// (module., _orig_mod.) are left out. The error names the file: two tensors of one name.
base::Result<CheckpointContents> contentsOf(const Checkpoint& checkpoint, const KnownSizes& known = {});

/// A value beside the tensors ("train_steps", "args.model"); empty without one.
std::string valueOf(const Checkpoint& checkpoint, std::string_view name);

/// Copies a part into `module`, one tensor in memory at a time, converting dtypes and devices. Nothing is loaded in
/// part: unless every parameter and buffer is met (those the module computes itself may be absent) and every tensor is
/// finite, the error says what is wrong in one sentence; after a tensor that cannot be read the module is half filled
/// and must not be used.
base::Result<WeightMapping> loadPart(torch::nn::Module& module, const Checkpoint& checkpoint,
                                     const CheckpointPart& part, WeightSet set);

/// How a part meets the network of its own sizes.
base::Result<WeightMapping> mapPart(const Checkpoint& checkpoint, const CheckpointPart& part, WeightSet set);

}  // namespace meanflow::core
