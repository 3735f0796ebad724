// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/formats/tensor_source.h"
#include "core/checkpoint/module_state.h"

namespace meanflow::core {

/// What becomes of the names that wrappers of PyTorch put around a module.
enum class WrapperNames {
  kKept,
  kStripped,  ///< stripWrapperNames is applied.
};

/// Without the leading "module." (DataParallel, DistributedDataParallel), however often, and without "_orig_mod."
/// (torch.compile) anywhere.
std::string stripWrapperNames(std::string_view name);

/// A checkpoint of any kind, open for reading: base::openTensorSource says which files and folders. Names, shapes and
/// dtypes are known at once, tensors are read one at a time.
class Checkpoint {
 public:
  /// The error names the file, the tensor and what to do.
  static base::Result<Checkpoint> open(const std::string& path);

  /// Format, plain values ("train_steps"), what could not be read, config.json.
  const base::TensorSource& source() const { return *source_; }
  /// Every tensor in the file's order under its full name ("ema.blocks.0.norm1.weight").
  const std::vector<base::TensorEntry>& tensors() const { return source_->entries(); }

  /// Prefixes under which a whole set of weights (or of optimiser state) lies: "model", "ema", "opt", "state_dict",
  /// "state_dict.ema_denoiser". Empty for a bare state dict. In the file's order.
  std::vector<std::string> groups() const;
  bool hasGroup(std::string_view name) const;
  /// The tensors below the prefix `group` ("" = all) by their names in it, as positions in tensors(). Error when there
  /// is none, or when stripping makes two names equal.
  base::Result<std::map<std::string, std::size_t>> group(const std::string& group, WrapperNames wrappers) const;

  /// Reads one tensor: on the CPU, contiguous, in the file's dtype. The error names file and tensor (damaged data, a
  /// dtype LibTorch lacks). Not for several threads at once.
  base::Result<torch::Tensor> read(std::size_t i) const;
  base::Result<torch::Tensor> read(const std::string& full_name) const;
  /// Reads a whole group, for files that fit into memory.
  base::Result<TensorMap> readGroup(const std::string& group, WrapperNames wrappers) const;

 private:
  explicit Checkpoint(std::unique_ptr<base::TensorSource> source);
  std::unique_ptr<base::TensorSource> source_;
  std::map<std::string, std::size_t, std::less<>> by_name_;
};

}  // namespace meanflow::core
