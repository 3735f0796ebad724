// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <set>
#include <string>

#include "core/checkpoint/tensor_file.h"
#include "core/device/precision.h"
#include "training/verify/case_config.h"

namespace meanflow::training {

/// One golden case: inputs, weights and expected outputs of a reference computation, described by case.json. It may
/// come from anywhere: whatever is missing or of the wrong kind throws std::runtime_error naming the file and the key.
/// Remembers what was read, so that a report can say what was never looked at. For one thread.
class CaseFolder {
 public:
  /// Reads case.json alone. The error names the file.
  static base::Result<CaseFolder> open(const std::string& path);
  /// Reads every *.safetensors of the folder.
  base::Result<void> loadTensors();

  const std::string& path() const { return path_; }
  const std::string& name() const { return name_; }  ///< `case` of case.json; decides which runner checks it.
  CaseConfig description() const { return {json_, jsonFile(), ""}; }
  CaseConfig config() const { return description().at("config"); }
  std::string jsonFile() const { return path_ + "/case.json"; }
  std::string tensorFile(const std::string& stem) const { return path_ + "/" + stem + ".safetensors"; }

  /// Whether the case holds tensors recorded in float32 / float64 (case.json's `dtype`; float32 where it says neither).
  bool hasColumn(core::Precision column) const;

  bool hasFile(const std::string& stem) const { return files_.contains(stem); }
  bool has(const std::string& stem, const std::string& tensor_name) const;
  bool has(const std::string& tensor_name) const { return has("io", tensor_name); }
  std::vector<std::string> names(const std::string& stem) const;  ///< Empty where there is no such file.

  /// All tensors of a file that is an input as a whole, such as weights. On the CPU.
  const core::TensorMap& file(const std::string& stem) const;
  /// An input, on the CPU / on `device`; uint8 0/1 tensors are booleans.
  const torch::Tensor& tensor(const std::string& stem, const std::string& tensor_name) const;
  const torch::Tensor& host(const std::string& tensor_name) const { return tensor("io", tensor_name); }
  torch::Tensor io(const std::string& tensor_name) const { return host(tensor_name).to(device); }
  /// The same with a check of its shape; -1 stands for any size, {} for a scalar.
  const torch::Tensor& host(const std::string& tensor_name, torch::IntArrayRef shape) const;
  torch::Tensor io(const std::string& tensor_name, torch::IntArrayRef shape) const {
    return host(tensor_name, shape).to(device);
  }
  /// Labels in [0, num_classes] (the last is the null label), int64, on `device`.
  torch::Tensor labels(const std::string& tensor_name, torch::IntArrayRef shape, std::int64_t num_classes) const;

  /// A reference output; being looked up does not count as read.
  const torch::Tensor& expected(const std::string& stem, const std::string& tensor_name) const;
  /// STEM/NAME of everything that neither was read nor is in `compared`.
  std::vector<std::string> untouched(const std::set<std::string>& compared) const;

  torch::Device device = torch::kCPU;               ///< Where runners compute.
  core::Precision column = core::Precision::kFp32;  ///< Which arithmetic is being checked.

 private:
  std::string path_, name_;
  nlohmann::json json_;
  std::map<std::string, core::TensorMap> files_;  ///< By stem: "io", "weights", "grads"...
  mutable std::set<std::string> read_;            ///< STEM/NAME
};

}  // namespace meanflow::training
