// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/base/run/training_host.h"
#include "training/stages/networks.h"

namespace meanflow::training {

/// Makes images from what a run folder holds: its newest weights or one checkpoint's. Networks are loaded when first
/// needed and loaded again when a newer checkpoint has appeared. Not thread-safe.
class Generator {
 public:
  /// Error when the folder is not a run or has no trained decoder yet.
  static base::Result<std::unique_ptr<Generator>> open(const std::string& run_folder, torch::Device device);

  const std::vector<std::string>& classNames() const { return class_names_; }
  const base::RunConfig& config() const { return config_; }

  /// Checks labels, counts and ranges of a request; the error names what is wrong and what is allowed.
  base::Result<void> check(const base::SampleRequest& request) const;

  /// Makes the images of `request` in order and delivers each as soon as its batch is done. `is_cancelled` is asked
  /// between batches. Throws std::runtime_error when weights are missing or damaged.
  void make(
      const base::SampleRequest& request, const std::function<void(int index, const base::Image8& image)>& deliver,
      const std::function<bool()>& is_cancelled = [] { return false; });

 private:
  Generator(base::RunFolder folder, base::RunConfig config, std::vector<std::string> class_names, torch::Device device);
  core::VelocityField teacherField(const base::SampleRequest& request);
  /// The weaker network of AutoGuidance. Throws std::runtime_error naming the key and what does not fit.
  core::DiTwDDTHead weakTeacher(const base::SamplingGuidanceConfig& guidance);
  core::FlowMap studentMap(const base::SampleRequest& request);

  base::RunFolder folder_;
  base::RunConfig config_;
  std::vector<std::string> class_names_;
  torch::Device device_;
  std::shared_ptr<core::RaeCodec> codec_;
  core::DiTwDDTHead teacher_{nullptr}, student_{nullptr}, weak_{nullptr};
  std::string teacher_key_, student_key_, weak_key_;  ///< Which weights are loaded.
};

}  // namespace meanflow::training
