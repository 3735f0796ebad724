// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "core/checkpoint/tensor_file.h"

namespace meanflow::training {

/// One golden case: inputs, weights and expected outputs of a reference computation, described by case.json.
struct CaseFolder {
  std::string path;
  std::string name;  ///< `case` of case.json; decides which runner checks it.
  nlohmann::json description;
  std::map<std::string, core::TensorMap>
      files;  ///< By stem: "io", "weights", "grads"... uint8 0/1 tensors are booleans.

  const nlohmann::json& config() const { return description.at("config"); }
  const core::TensorMap& file(const std::string& stem) const;  ///< Throws with the case's name where it is absent.
  const torch::Tensor& tensor(const std::string& stem, const std::string& tensor_name) const;
  const torch::Tensor& io(const std::string& tensor_name) const { return tensor("io", tensor_name); }
  bool has(const std::string& stem, const std::string& tensor_name) const;
};

/// Reads case.json and every *.safetensors of `path`.
base::Result<CaseFolder> openCase(const std::string& path);

}  // namespace meanflow::training
