// SPDX-License-Identifier: Apache-2.0
//
// What the tests of import and export share: golden weights, folders, comparisons.
#pragma once
#include <torch/torch.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include "core/checkpoint/tensor_file.h"
#include "tests/support/studio_test.h"
#include "training/exchange/import_checkpoint.h"

namespace meanflow::testing {

inline std::string golden(const std::string& file) { return testsFolder() + "/golden/" + file; }

inline core::TensorMap goldenTensors(const std::string& file) { return core::loadTensors(golden(file)).value(); }

/// The first difference in names, dtypes, shapes or bits; empty when there is none.
inline std::string firstDifference(const core::TensorMap& a, const core::TensorMap& b) {
  for (const auto& [name, tensor] : a) {
    const auto other = b.find(name);
    if (other == b.end()) return name + " is in the first alone";
    if (other->second.scalar_type() != tensor.scalar_type() || other->second.sizes() != tensor.sizes())
      return name + " has another dtype or shape";
    const auto bits = [](const torch::Tensor& t) { return t.contiguous().reshape({-1}).view(torch::kUInt8); };
    if (tensor.numel() > 0 && !torch::equal(bits(tensor), bits(other->second))) return name + " differs";
  }
  for (const auto& entry : b)
    if (!a.contains(entry.first)) return entry.first + " is in the second alone";
  return {};
}

/// Every file below `folder` with its content, but the lock.
inline std::map<std::string, std::string> filesBelow(const std::filesystem::path& folder) {
  std::map<std::string, std::string> files;
  if (!std::filesystem::exists(folder)) return files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    const auto name = std::filesystem::relative(entry.path(), folder).string();
    if (name == "lock") continue;
    std::ostringstream content;
    if (entry.is_regular_file()) content << std::ifstream(entry.path(), std::ios::binary).rdbuf();
    files[name] = content.str();
  }
  return files;
}

inline core::TensorMap checkpointFile(const std::string& run, const std::string& stage, const std::string& step,
                                      const std::string& file) {
  return core::loadTensors(run + "/" + stage + "/checkpoints/" + step + "/" + file + ".safetensors").value();
}

inline training::ImportRequest importOf(const std::string& source, const std::string& out, const std::string& as = {},
                                        const std::vector<std::string>& overrides = {}) {
  training::ImportRequest request;
  request.source = source, request.out = out, request.as = as, request.overrides = overrides;
  return request;
}

}  // namespace meanflow::testing
