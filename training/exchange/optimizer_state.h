// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

#include "core/checkpoint/checkpoint_contents.h"
#include "training/exchange/stage_writer.h"

namespace meanflow::training {

/// AdamW's state under our names, or why there is none.
struct FoundOptimizerState {
  TensorOrigins tensors;  ///< NAME.exp_avg, NAME.exp_avg_sq, NAME.step; empty when not usable.
  std::string sentence;   ///< For a person.
};

/// torch.optim numbers parameters in the order in which the network registered them, frozen ones included (they have no
/// state), and a state dict lists them in that order: the i-th parameter of the file's raw weights has state `i`. Used
/// only if that gives every trained parameter moments of its own shape; a run checkpoint of ours names them instead.
FoundOptimizerState findOptimizerState(const core::Checkpoint& checkpoint, const core::CheckpointContents& contents,
                                       const core::CheckpointPart& part, const core::NetworkTensors& network);

}  // namespace meanflow::training
