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

/// Every tensor of a safetensors file, copied to the CPU in the file's dtype. The error names the file and the fault.
base::Result<TensorFile> loadTensorFile(const std::string& path);
base::Result<TensorMap> loadTensors(const std::string& path);

/// Writes a safetensors file next to `path` and renames it into place; devices are left and strides straightened on the
/// way, values and dtypes are kept.
base::Result<void> saveTensors(const std::string& path, const TensorMap& tensors, const Metadata& metadata = {});

}  // namespace meanflow::core
