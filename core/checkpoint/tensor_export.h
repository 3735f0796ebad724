// SPDX-License-Identifier: Apache-2.0
//
// Files for Python: written beside the target and renamed into place, one tensor in memory at a time.
#pragma once
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/base/result.h"
#include "core/checkpoint/module_state.h"

namespace meanflow::core {

/// A plain value beside the tensors of a .pt file ("train_steps", 1234).
using PtScalar = std::pair<std::string, std::variant<std::int64_t, double, bool, std::string>>;

/// Writes {NAME: tensor} as torch.save does: what torch.load(weights_only=True) gives to load_state_dict.
base::Result<void> savePt(const std::string& path, const TensorMap& tensors);

/// Writes {GROUP: {NAME: tensor}, SCALAR: value}: {"model", "ema"} and "train_steps" of the official trainers.
base::Result<void> savePt(const std::string& path, const std::vector<std::pair<std::string, TensorMap>>& groups,
                          const std::vector<PtScalar>& scalars);

/// Writes an .npz. numpy lacks bfloat16 and 8-bit floats: such tensors become float32, which holds them exactly.
base::Result<void> saveNpz(const std::string& path, const TensorMap& tensors);

}  // namespace meanflow::core
