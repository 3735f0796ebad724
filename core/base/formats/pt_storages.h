// SPDX-License-Identifier: Apache-2.0
//
// Storages and tensors of a .pt file's pickle. A detail of pt_file.cpp.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "core/base/formats/pickle.h"
#include "core/base/formats/stored_tensor.h"

namespace meanflow::base {

/// Bytes that tensors are views of.
struct PtStorage {
  std::string key;    ///< Name of its record.
  std::string dtype;  ///< U8 where the file leaves it open.
  std::uint64_t num_elements = 0;
  std::span<const std::byte> bytes;  ///< Once found.
  bool is_found = false;
  bool has_checksum = false, is_checked = false;
  std::uint32_t checksum = 0;

  std::uint64_t numBytes() const { return num_elements * dtypeSize(dtype); }  // checked when it was made
};

/// A tensor as the pickle describes it; `view.bytes` comes later.
struct PtTensorPlan {
  StoredTensor view;
  std::size_t storage = 0;
  std::uint64_t offset_bytes = 0;  ///< Of the first element in the storage.
};

/// Understands torch's own calls and persistent ids. A value of kind kForeign is a storage (its number) or a tensor
/// (its number plus kFirstTensor).
class PtStorages final : public PickleHooks {
 public:
  static constexpr std::int64_t kFirstTensor = std::int64_t{1} << 32;
  static constexpr std::size_t kMaxTensors = 300'000;

  Result<PickleTree::Id> persistent(PickleTree& tree, PickleTree::Id id) override;
  Result<std::optional<PickleTree::Id>> call(PickleTree& tree, PickleTree::Id function,
                                             PickleTree::Id arguments) override;

  PtStorage* find(std::string_view key);
  /// Gives every tensor its bytes. `name` makes a tensor's name for messages from its number.
  template <class Name>
  Result<void> place(bool is_big_endian, const Name& name) {
    for (std::size_t i = 0; i < tensors.size(); ++i)
      if (auto placed = placeOne(tensors[i], is_big_endian); !placed)
        return Error{name(i) + ": " + placed.error().message};
    return {};
  }

  std::vector<PtStorage> storages;
  std::vector<PtTensorPlan> tensors;

 private:
  Result<void> placeOne(PtTensorPlan& tensor, bool is_big_endian);
  Result<PickleTree::Id> rebuildTensor(PickleTree& tree, PickleValue arguments, bool has_dtype);
  std::map<std::string, std::size_t, std::less<>> by_key_;
};

}  // namespace meanflow::base
