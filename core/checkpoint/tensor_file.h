// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <string>

#include "core/checkpoint/module_state.h"

namespace meanflow::core {

using Metadata = std::map<std::string, std::string>;

struct TensorFile {
  TensorMap tensors;
  Metadata metadata;
};

/// Every tensor of a safetensors file, on the CPU. uint8 stays uint8.
base::Result<TensorFile> loadTensorFile(const std::string& path);
base::Result<TensorMap> loadTensors(const std::string& path);

}  // namespace meanflow::core
