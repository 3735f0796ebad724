// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "core/checkpoint/checkpoint.h"

namespace meanflow::training {

/// Where the value of one tensor comes from: a position in a checkpoint, or a tensor at hand.
using TensorOrigin = std::variant<std::size_t, torch::Tensor>;
/// By the name it is to be written under.
using TensorOrigins = std::map<std::string, TensorOrigin>;

/// Name, dtype and shape of each origin, wide dtypes first, so that every tensor of a file is aligned.
struct PlannedTensor {
  std::string name, dtype;
  std::vector<std::int64_t> shape;
  TensorOrigin origin;
};
std::vector<PlannedTensor> plannedTensors(const core::Checkpoint& checkpoint, const TensorOrigins& origins);

/// The tensor itself, on the CPU and contiguous.
base::Result<torch::Tensor> fetch(const core::Checkpoint& checkpoint, const PlannedTensor& planned);

enum class Finite {
  kDemanded,  ///< A value that is not finite is an error naming the tensor.
  kNotChecked,
};

/// Writes a safetensors file, one tensor in memory at a time, under its name only when it is complete. Errors name the
/// file and the tensor.
base::Result<void> writeTensors(const std::filesystem::path& target, const core::Checkpoint& checkpoint,
                                const TensorOrigins& origins, Finite finite,
                                const std::map<std::string, std::string>& metadata = {});

}  // namespace meanflow::training
