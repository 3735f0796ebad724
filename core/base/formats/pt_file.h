// SPDX-License-Identifier: Apache-2.0
//
// Files of torch.save (.pt, .pth, .ckpt, .bin), read over a memory map without running anything in them: zip archives
// (PyTorch 1.6 and later) and the older stream of pickles. Layout: torch/serialization.py of PyTorch 2.11.
#pragma once
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/base/formats/mapped_file.h"
#include "core/base/formats/pickle.h"
#include "core/base/formats/stored_tensor.h"
#include "core/base/result.h"

namespace meanflow::base {

/// A tensor and where it was found: keys of dictionaries and positions in lists joined by dots,
/// "ema.blocks.0.norm1.weight"; "tensor" where nothing else was saved.
struct PtTensor {
  std::string name;
  StoredTensor view;
  std::size_t storage = 0;  ///< Tensors of one number share memory (tied weights, views).
};

/// A plain value beside the tensors, as text: "train_steps" "1234", "args.model" "SiT-XL/2".
struct PtValue {
  std::string name;
  std::string text;
};

/// A file of torch.save. Opening it reads names and shapes only; a tensor's bytes are touched when it is copied.
class PtFile {
 public:
  /// The error names the file and what is wrong, the tensor where there is one. Refused: files cut short or damaged,
  /// compressed records, TorchScript programs, storages that leave the file, tensors that leave their storage or
  /// overlap themselves, unknown dtypes, nesting deeper than 64, more than PickleTree::kMaxValues values, names that
  /// are given twice.
  static Result<PtFile> open(const std::filesystem::path& path);
  /// The same over bytes that outlive the object; `name` stands for the file in errors.
  static Result<PtFile> parse(std::span<const std::byte> bytes, const std::string& name);
  ~PtFile();
  PtFile(PtFile&&) noexcept;
  PtFile& operator=(PtFile&&) noexcept;

  /// The object that was saved. A kForeign value in it is the tensor tensorOf() tells.
  PickleValue root() const;
  /// The tensor behind a value, null when it is none.
  const StoredTensor* tensorOf(PickleValue value) const;
  /// Every tensor that dictionaries, lists and tuples lead to, in the file's order.
  const std::vector<PtTensor>& tensors() const;
  /// Numbers, texts, truth values and None, in the file's order, those in the attributes of objects too (an
  /// argparse.Namespace, for example). At most 20000; texts are cut after 400 bytes.
  const std::vector<PtValue>& values() const;
  /// Where objects of other classes stand, and their class: "args" "argparse.Namespace". What they hold is not among
  /// tensors().
  const std::vector<PtValue>& objects() const;
  bool isLegacy() const;  ///< The stream of pickles that PyTorch wrote before 1.6.

  /// Copies a tensor of tensors() row by row in the machine's byte order to `out`, which has its size. Checks the
  /// storage's checksum on the first use. Pages of the map do not stay resident. Not for several threads at once.
  Result<void> copy(const PtTensor& tensor, std::span<std::byte> out);

 private:
  struct State;
  explicit PtFile(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace meanflow::base
