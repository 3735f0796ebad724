// SPDX-License-Identifier: Apache-2.0
//
// The stack machine of pickle.h. Operations and their meaning: Python's Lib/pickletools.py.
#include <fmt/format.h>

#include <bit>
#include <charconv>
#include <cstring>
#include <unordered_map>

#include "core/base/formats/pickle.h"
#include "core/base/formats/stored_tensor.h"

namespace meanflow::base {
namespace {

using Id = PickleTree::Id;

/// Leaves the machine; readPickle turns it into an Error.
struct Fault {
  std::string what;
};

constexpr std::size_t kMaxNameSize = 512;  // of a module or class

class Machine {
 public:
  Machine(std::span<const std::byte> bytes, PickleTree& tree, PickleHooks& hooks)
      : bytes_(bytes), budget_(2 * bytes.size() + (std::size_t{1} << 20)), tree_(tree), hooks_(hooks) {}

  Id run() {
    for (;;) {
      const auto operation = static_cast<unsigned char>(take(1)[0]);
      if (operation == '.') return pop();
      step(operation);
    }
  }
  std::size_t position() const { return at_; }

 private:
  void step(unsigned char operation);
  bool literal(unsigned char operation);
  bool container(unsigned char operation);
  bool memory(unsigned char operation);
  bool call(unsigned char operation);

  std::span<const std::byte> take(std::uint64_t size) {
    if (size > bytes_.size() - at_)
      throw Fault{fmt::format("{} bytes are needed, {} are left; the data is cut short", size, bytes_.size() - at_)};
    const auto part = bytes_.subspan(at_, size);
    at_ += size;
    return part;
  }
  template <class T>
  T number() {
    T value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }
  std::string_view text(std::uint64_t size) {
    const auto part = take(size);
    return {reinterpret_cast<const char*>(part.data()), part.size()};
  }
  std::string_view line() {
    const auto rest = bytes_.subspan(at_);
    const auto* end = rest.empty() ? nullptr : std::memchr(rest.data(), '\n', rest.size());
    if (end == nullptr) throw Fault{"a line has no end; the data is cut short"};
    const auto found = text(static_cast<std::uint64_t>(static_cast<const std::byte*>(end) - rest.data()));
    take(1);
    return found;
  }

  void push(Id id) {
    if (id == PickleTree::kNoId || stack_.size() >= PickleTree::kMaxValues)
      throw Fault{fmt::format("more than {} values", PickleTree::kMaxValues)};
    stack_.push_back(id);
  }
  std::size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }
  Id pop() {
    if (stack_.size() <= floor()) throw Fault{"a value is missing on the stack"};
    const Id id = stack_.back();
    stack_.pop_back();
    return id;
  }
  Id top() const {
    if (stack_.size() <= floor()) throw Fault{"a value is missing on the stack"};
    return stack_.back();
  }
  std::vector<Id> popToMark() {
    if (marks_.empty()) throw Fault{"a mark is missing on the stack"};
    std::vector<Id> ids(stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back()), stack_.end());
    stack_.resize(marks_.back());
    marks_.pop_back();
    return ids;
  }
  PickleKind kind(Id id) const { return tree_.at(id).kind(); }

  void pushLong(std::string_view little_endian);
  void pushGlobal(std::string_view module, std::string_view name);
  void pushCall(Id function, Id arguments);
  std::optional<Id> plainCall(std::string_view function, PickleValue arguments);
  void append(Id target, std::span<const Id> ids);
  void setItems(Id target, std::span<const Id> ids);
  std::string_view own(std::string text) {
    const auto owned = tree_.own(std::move(text), budget_);
    if (!owned) throw Fault{"its texts grow beyond the size of the data"};
    return *owned;
  }

  std::span<const std::byte> bytes_;
  std::size_t at_ = 0;
  std::size_t num_copied_ = 0;  ///< Elements of lists that a call copied.
  std::size_t budget_;          ///< For texts made here, together with those of earlier pickles of the tree.
  PickleTree& tree_;
  PickleHooks& hooks_;
  std::vector<Id> stack_;
  std::vector<std::size_t> marks_;  ///< Heights of the stack.
  std::unordered_map<std::uint32_t, Id> memo_;
};

void Machine::step(unsigned char operation) {
  if (literal(operation) || container(operation) || memory(operation) || call(operation)) return;
  switch (operation) {
    case 0x80:  // PROTO
      if (const auto protocol = number<std::uint8_t>(); protocol < 2 || protocol > 5)
        throw Fault{fmt::format("pickle protocol {} is unknown (2 to 5 are read)", protocol)};
      return;
    case 0x95:  // FRAME: what it announces is read as it comes
      if (number<std::uint64_t>() > bytes_.size() - at_)
        throw Fault{"a frame is longer than the data; the data is cut short"};
      return;
    case '0':  // POP, which also takes a mark
      if (stack_.size() <= floor() && !marks_.empty())
        marks_.pop_back();
      else
        pop();
      return;
    case '1':  // POP_MARK
      popToMark();
      return;
    case '2':  // DUP
      push(top());
      return;
    default:
      throw Fault{fmt::format("operation 0x{:02x} is not one of a checkpoint's pickle (protocols 2 to 5)", operation)};
  }
}

bool Machine::literal(unsigned char operation) {
  using Kind = PickleKind;
  const auto pushText = [&](Kind text_kind, std::string_view found) { push(tree_.add(text_kind, 0, found)); };
  switch (operation) {
    case 'N':
      push(tree_.add(Kind::kNone));
      return true;
    case 0x88:
      push(tree_.add(Kind::kBool, 1));
      return true;
    case 0x89:
      push(tree_.add(Kind::kBool, 0));
      return true;
    case 'J':
      push(tree_.add(Kind::kInt, number<std::int32_t>()));
      return true;
    case 'K':
      push(tree_.add(Kind::kInt, number<std::uint8_t>()));
      return true;
    case 'M':
      push(tree_.add(Kind::kInt, number<std::uint16_t>()));
      return true;
    case 'I': {  // Python 2 writes an int of more than 32 bits so even in protocol 2
      const auto digits = line();
      std::int64_t value = 0;
      const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
      if (error != std::errc() || end != digits.data() + digits.size()) throw Fault{"a number is not one"};
      if (digits == "00" || digits == "01")
        push(tree_.add(Kind::kBool, value));
      else
        push(tree_.add(Kind::kInt, value));
      return true;
    }
    case 0x8a:
      pushLong(text(number<std::uint8_t>()));
      return true;
    case 0x8b:
      pushLong(text(number<std::uint32_t>()));
      return true;
    case 'G': {  // big-endian
      const auto bits = __builtin_bswap64(number<std::uint64_t>());
      push(tree_.addFloat(std::bit_cast<double>(bits)));
      return true;
    }
    case 'X':
      pushText(Kind::kString, text(number<std::uint32_t>()));
      return true;
    case 0x8c:
      pushText(Kind::kString, text(number<std::uint8_t>()));
      return true;
    case 0x8d:
      pushText(Kind::kString, text(number<std::uint64_t>()));
      return true;
    case 'T':
      pushText(Kind::kString, text(number<std::uint32_t>()));
      return true;  // str of Python 2
    case 'U':
      pushText(Kind::kString, text(number<std::uint8_t>()));
      return true;
    case 'B':
      pushText(Kind::kBytes, text(number<std::uint32_t>()));
      return true;
    case 'C':
      pushText(Kind::kBytes, text(number<std::uint8_t>()));
      return true;
    case 0x8e:
    case 0x96:
      pushText(Kind::kBytes, text(number<std::uint64_t>()));
      return true;
    default:
      return false;
  }
}

bool Machine::container(unsigned char operation) {
  using Kind = PickleKind;
  const auto pushTuple = [&](std::size_t size) {
    std::vector<Id> ids(size);
    for (std::size_t i = size; i-- > 0;) ids[i] = pop();
    push(tree_.addContainer(Kind::kTuple, std::move(ids)));
  };
  switch (operation) {
    case '(':
      if (marks_.size() >= PickleTree::kMaxValues)
        throw Fault{fmt::format("more than {} marks", PickleTree::kMaxValues)};
      marks_.push_back(stack_.size());
      return true;
    case ')':
      pushTuple(0);
      return true;
    case 0x85:
      pushTuple(1);
      return true;
    case 0x86:
      pushTuple(2);
      return true;
    case 0x87:
      pushTuple(3);
      return true;
    case 't':
      push(tree_.addContainer(Kind::kTuple, popToMark()));
      return true;
    case ']':
      push(tree_.addContainer(Kind::kList, {}));
      return true;
    case 'l':
      push(tree_.addContainer(Kind::kList, popToMark()));
      return true;
    case '}':
      push(tree_.addContainer(Kind::kDict, {}));
      return true;
    case 0x8f:
      push(tree_.addContainer(Kind::kSet, {}));
      return true;
    case 0x91:
      push(tree_.addContainer(Kind::kSet, popToMark()));
      return true;
    case 'a': {
      const Id id = pop();
      append(top(), {&id, 1});
      return true;
    }
    case 'e':
    case 0x90: {
      const auto ids = popToMark();
      append(top(), ids);
      return true;
    }
    case 's': {
      const Id value = pop(), key = pop();
      const Id pair[] = {key, value};
      setItems(top(), pair);
      return true;
    }
    case 'u': {
      const auto ids = popToMark();
      setItems(top(), ids);
      return true;
    }
    case 'd': {
      const auto ids = popToMark();
      push(tree_.addContainer(Kind::kDict, {}));
      setItems(top(), ids);
      return true;
    }
    default:
      return false;
  }
}

bool Machine::memory(unsigned char operation) {
  const auto put = [&](std::uint32_t slot) {
    if (memo_.size() >= PickleTree::kMaxValues) throw Fault{fmt::format("more than {} memos", PickleTree::kMaxValues)};
    memo_[slot] = top();
  };
  const auto get = [&](std::uint32_t slot) {
    const auto found = memo_.find(slot);
    if (found == memo_.end()) throw Fault{fmt::format("memo {} is read before it is written", slot)};
    push(found->second);
  };
  switch (operation) {
    case 'q':
      put(number<std::uint8_t>());
      return true;
    case 'r':
      put(number<std::uint32_t>());
      return true;
    case 0x94:
      put(static_cast<std::uint32_t>(memo_.size()));
      return true;
    case 'h':
      get(number<std::uint8_t>());
      return true;
    case 'j':
      get(number<std::uint32_t>());
      return true;
    default:
      return false;
  }
}

bool Machine::call(unsigned char operation) {
  switch (operation) {
    case 'c': {
      const auto module = line();
      pushGlobal(module, line());
      return true;
    }
    case 0x93: {
      const Id name = pop(), module = pop();
      if (kind(name) != PickleKind::kString || kind(module) != PickleKind::kString)
        throw Fault{"the name of a class is not a text"};
      pushGlobal(tree_.at(module).text(), tree_.at(name).text());
      return true;
    }
    case 'R':
    case 0x81: {  // a call, or cls.__new__(*arguments)
      const Id arguments = pop();
      pushCall(pop(), arguments);
      return true;
    }
    case 0x92: {  // NEWOBJ_EX: keyword arguments are dropped
      pop();
      const Id arguments = pop();
      pushCall(pop(), arguments);
      return true;
    }
    case 'b': {
      const Id state = pop();
      tree_.setState(top(), state);
      return true;
    }
    case 'Q': {
      auto id = hooks_.persistent(tree_, pop());
      if (!id) throw Fault{id.error().message};
      push(*id);
      return true;
    }
    default:
      return false;
  }
}

void Machine::pushLong(std::string_view little_endian) {
  if (little_endian.size() > 8) return push(tree_.add(PickleKind::kBigInt, 0, little_endian));
  const bool is_negative = !little_endian.empty() && (static_cast<unsigned char>(little_endian.back()) & 0x80) != 0;
  std::int64_t value = is_negative ? -1 : 0;
  std::memcpy(&value, little_endian.data(), little_endian.size());
  push(tree_.add(PickleKind::kInt, value));
}

void Machine::pushGlobal(std::string_view module, std::string_view name) {
  if (module.size() > kMaxNameSize || name.size() > kMaxNameSize) throw Fault{"the name of a class is too long"};
  push(tree_.add(PickleKind::kGlobal, 0, own(fmt::format("{}.{}", module, name))));
}

void Machine::pushCall(Id function, Id arguments) {
  if (kind(function) != PickleKind::kGlobal) return push(tree_.addObject("(the result of a call)", arguments));
  const auto name = tree_.at(function).text();
  if (const auto plain = plainCall(name, tree_.at(arguments))) return push(*plain);
  auto made = hooks_.call(tree_, function, arguments);
  if (!made) throw Fault{made.error().message};
  push(*made ? **made : tree_.addObject(name, arguments));
}

/// Calls whose result is plain data.
std::optional<Id> Machine::plainCall(std::string_view function, PickleValue arguments) {
  const auto num = arguments.is(PickleKind::kTuple) ? arguments.size() : 0;
  const auto elements = [&](PickleValue from) {
    // One shared list copied again and again would grow without end.
    num_copied_ += from.size();
    if (num_copied_ > bytes_.size()) throw Fault{"its lists grow beyond the size of the data"};
    std::vector<Id> ids;
    for (std::size_t i = 0; i < from.size(); ++i) ids.push_back(from.item(i).id());
    return ids;
  };
  const auto isSequence = [](PickleValue v) { return v.is(PickleKind::kList) || v.is(PickleKind::kTuple); };
  if (function == "collections.OrderedDict") {
    std::vector<Id> pairs;
    if (num > 0 && isSequence(arguments.item(0))) {  // Python 2: a list of [key, value]
      for (const Id id : elements(arguments.item(0))) {
        const auto pair = tree_.at(id);
        if (!isSequence(pair) || pair.size() != 2) throw Fault{"an OrderedDict is not made of pairs"};
        pairs.push_back(pair.item(0).id());
        pairs.push_back(pair.item(1).id());
      }
    }
    return tree_.addContainer(PickleKind::kDict, std::move(pairs));
  }
  if (function == "collections.defaultdict") return tree_.addContainer(PickleKind::kDict, {});
  if (num == 1 && isSequence(arguments.item(0))) {
    const bool is_set = function == "__builtin__.set" || function == "builtins.set" ||
                        function == "__builtin__.frozenset" || function == "builtins.frozenset";
    if (is_set) return tree_.addContainer(PickleKind::kSet, elements(arguments.item(0)));
    if (function == "torch.Size") return tree_.addContainer(PickleKind::kTuple, elements(arguments.item(0)));
  }
  if (function == "_codecs.encode" && num == 2 && arguments.item(0).is(PickleKind::kString) &&
      arguments.item(1).text() == "latin1") {
    std::string latin1;  // bytes in protocol 2: code points 0 to 255 as UTF-8
    const auto utf8 = arguments.item(0).text();
    for (std::size_t i = 0; i < utf8.size(); ++i) {
      const auto lead = static_cast<unsigned char>(utf8[i]);
      const bool is_pair = (lead == 0xc2 || lead == 0xc3) && i + 1 < utf8.size();
      if (lead >= 0x80 && !is_pair) throw Fault{"a byte string holds letters that are no bytes"};
      latin1.push_back(is_pair ? static_cast<char>(((lead & 3) << 6) | (static_cast<unsigned char>(utf8[++i]) & 0x3f))
                               : static_cast<char>(lead));
    }
    return tree_.add(PickleKind::kBytes, 0, own(std::move(latin1)));
  }
  return std::nullopt;
}

void Machine::append(Id target, std::span<const Id> ids) {
  const auto target_kind = kind(target);
  if (target_kind != PickleKind::kList && target_kind != PickleKind::kSet && target_kind != PickleKind::kObject)
    throw Fault{"something is appended to what is no list"};
  auto* children = tree_.children(target);
  children->insert(children->end(), ids.begin(), ids.end());
}

void Machine::setItems(Id target, std::span<const Id> ids) {
  if (ids.size() % 2 != 0) throw Fault{"a key of a dictionary has no value"};
  if (kind(target) != PickleKind::kDict && kind(target) != PickleKind::kObject)
    throw Fault{"an entry is set in what is no dictionary"};
  auto* children = tree_.children(target);
  children->insert(children->end(), ids.begin(), ids.end());
}

}  // namespace

Result<PickleTree::Id> readPickle(std::span<const std::byte>& bytes, PickleTree& tree, PickleHooks& hooks) {
  Machine machine(bytes, tree, hooks);
  try {
    const auto root = machine.run();
    bytes = bytes.subspan(machine.position());
    return root;
  } catch (const Fault& fault) {
    return Error{fmt::format("pickle byte {}: {}", machine.position(), fault.what)};
  }
}

}  // namespace meanflow::base
