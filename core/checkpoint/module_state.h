// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <torch/torch.h>

#include <map>
#include <string>
#include <vector>

#include "core/base/result.h"

namespace meanflow::core {

/// Tensors by their official state-dict names.
using TensorMap = std::map<std::string, torch::Tensor>;

/// Parameters and buffers of `module` by name. The tensors share memory with the module.
TensorMap namedState(const torch::nn::Module& module);

/// What did not match when tensors were copied into a module.
struct LoadReport {
  std::vector<std::string> missing;     ///< In the module only: kept their values.
  std::vector<std::string> unexpected;  ///< In the source only: ignored.
  std::vector<std::string> mis_shaped;  ///< "name: source [..], module [..]": kept their values.

  bool complete() const { return missing.empty() && unexpected.empty() && mis_shaped.empty(); }
  std::string summary() const;  ///< One line a list; "all tensors match" when complete.
};

enum class Strictness {
  kExact,    ///< Any difference is an error and nothing is copied.
  kLenient,  ///< What matches is copied; the caller judges the report.
};

/// Copies `tensors` into the module's parameters and buffers (converting dtype and device).
base::Result<LoadReport> loadInto(torch::nn::Module& module, const TensorMap& tensors, Strictness strictness);

/// Copies every equally named, equally shaped tensor of `source` into `target`: a student from its teacher (its
/// r_embedder is then reported missing and keeps its random start), a copy from its original.
LoadReport copyMatching(const torch::nn::Module& source, torch::nn::Module& target);

}  // namespace meanflow::core
