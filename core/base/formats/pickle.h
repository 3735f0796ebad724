// SPDX-License-Identifier: Apache-2.0
//
// Python pickles read as data. A pickle is a program for a small stack machine that may call any Python function; here
// nothing is called: what is not plain data stays an object of a named class whose arguments and attributes can be
// looked at.
#pragma once
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace meanflow::base {

enum class PickleKind : std::uint8_t {
  kNone,
  kBool,
  kInt,
  kBigInt,  ///< More than 64 bits; text() is its little-endian two's complement.
  kFloat,
  kString,
  kBytes,
  kList,
  kTuple,
  kSet,
  kDict,     ///< dict, OrderedDict, defaultdict.
  kGlobal,   ///< The name of a class or function: "argparse.Namespace".
  kObject,   ///< What a call of a global would have made.
  kForeign,  ///< Made by the reader's hooks (storages and tensors of a .pt file); integer() is theirs.
};

class PickleTree;

/// One value of a tree; a cheap handle, valid as long as the tree and the bytes it was read from. Values may be shared
/// and may contain themselves, so a walk needs a limit of depth.
class PickleValue {
 public:
  PickleValue(const PickleTree& tree, std::uint32_t id) : tree_(&tree), id_(id) {}

  PickleKind kind() const;
  std::uint32_t id() const { return id_; }
  bool is(PickleKind wanted) const { return kind() == wanted; }
  std::int64_t integer() const;   ///< Of kBool, kInt, kForeign; else 0.
  double real() const;            ///< Of kFloat, kInt, kBool; else 0.
  std::string_view text() const;  ///< Of kString, kBytes, kBigInt, kGlobal; the class's name of kObject.
  std::size_t size() const;       ///< Elements of a list, tuple or set, entries of a dict; of an object, what was
                                  ///< appended or set.
  PickleValue item(std::size_t i) const;   ///< Element of a list, tuple or set.
  PickleValue key(std::size_t i) const;    ///< Of a dict's entry.
  PickleValue value(std::size_t i) const;  ///< Of a dict's entry.
  /// The entry of a dict under a text key.
  std::optional<PickleValue> find(std::string_view key) const;
  /// Of an object: the arguments it was called with (a tuple as a rule).
  std::optional<PickleValue> arguments() const;
  /// Of an object or dict: what Python's __setstate__ would have got; its attributes when it is a dict.
  std::optional<PickleValue> state() const;
  /// state()'s entry of that name.
  std::optional<PickleValue> attribute(std::string_view name) const;

 private:
  const PickleTree* tree_;
  std::uint32_t id_;
};

/// Owns the values of one or several pickles. Texts are views into the bytes that were read.
class PickleTree {
 public:
  static constexpr std::size_t kMaxValues = 2'000'000;
  using Id = std::uint32_t;
  static constexpr Id kNoId = 0xffffffff;

  PickleValue at(Id id) const { return {*this, id}; }
  std::size_t size() const { return nodes_.size(); }

  /// For readers: values are added and never change their kind. Nothing is added beyond kMaxValues (the id is kNoId).
  Id add(PickleKind kind, std::int64_t integer = 0, std::string_view text = {});
  Id addFloat(double real);
  Id addContainer(PickleKind kind, std::vector<Id> children);
  Id addObject(std::string_view class_name, Id arguments);
  std::vector<Id>* children(Id id);  ///< Null for a value without; keys and values of a dict alternate.
  void setState(Id id, Id state);    ///< Of a dict or object; else ignored.
  /// Keeps a text that is no part of the bytes. Nothing when all such texts together exceed `budget` bytes.
  std::optional<std::string_view> own(std::string text, std::size_t budget);

 private:
  friend class PickleValue;
  struct Node {
    std::string_view text;
    std::int64_t integer = 0;  // or the bits of a float
    std::uint32_t container = kNoId;
    PickleKind kind = PickleKind::kNone;
  };
  struct Container {
    std::vector<Id> children;
    Id arguments = kNoId, state = kNoId;
  };
  std::vector<Node> nodes_;
  std::vector<Container> containers_;
  std::deque<std::string> owned_;
  std::size_t num_owned_bytes_ = 0;
};

/// What a pickle leaves to its container format.
class PickleHooks {
 public:
  virtual ~PickleHooks() = default;
  /// A persistent id: the value that stands for it.
  virtual Result<PickleTree::Id> persistent(PickleTree& tree, PickleTree::Id id) = 0;
  /// A call of `function` (a kGlobal) with `arguments`: the value that stands for its result, or nothing to keep it as
  /// an object.
  virtual Result<std::optional<PickleTree::Id>> call(PickleTree& tree, PickleTree::Id function,
                                                     PickleTree::Id arguments) = 0;
};

/// Reads one pickle (protocols 2 to 5) from the front of `bytes`, adds its values to `tree`, moves `bytes` behind it,
/// and returns the value. The error (without the file's name) tells the position. Plain containers (OrderedDict,
/// defaultdict, set, torch.Size) and bytes are understood here, other calls go to `hooks`.
Result<PickleTree::Id> readPickle(std::span<const std::byte>& bytes, PickleTree& tree, PickleHooks& hooks);

}  // namespace meanflow::base
