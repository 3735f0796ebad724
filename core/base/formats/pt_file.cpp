// SPDX-License-Identifier: Apache-2.0
#include "core/base/formats/pt_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <unordered_map>
#include <unordered_set>

#include "core/base/formats/pt_storages.h"
#include "core/base/formats/zip_archive.h"

namespace meanflow::base {
namespace {

constexpr std::size_t kMaxPickleBytes = 64 << 20;  // a hundred times that of the largest known checkpoint
constexpr int kMaxDepth = 64;
constexpr std::size_t kMaxNameBytes = 1024, kMaxAllNameBytes = 64 << 20, kMaxVisits = 2 * PickleTree::kMaxValues;
constexpr std::size_t kMaxTensors = PtStorages::kMaxTensors;
constexpr std::size_t kMaxValues = 20'000, kMaxValueBytes = 400;
constexpr std::string_view kLegacyMagic("\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19",
                                        10);  // torch.serialization.MAGIC_NUMBER

/// What the walk over the saved object finds.
struct Contents {
  struct Found {
    std::string name;
    std::size_t tensor = 0;
  };
  std::vector<Found> tensors;
  std::vector<PtValue> values, objects;
};

class Walk {
 public:
  explicit Walk(Contents& contents) : contents_(contents) {}

  Result<void> visit(PickleValue value, const std::string& name, int depth, bool in_object) {
    if (++num_visits_ > kMaxVisits) return Error{"the saved object has too many parts (does it contain itself?)"};
    if (depth > kMaxDepth)
      return Error{
          fmt::format("{} is nested deeper than {} levels (does it contain itself?)", shownName(name), kMaxDepth)};
    switch (value.kind()) {
      case PickleKind::kForeign:
        if (in_object || value.integer() < PtStorages::kFirstTensor) return {};
        if (contents_.tensors.size() >= kMaxTensors)
          return Error{fmt::format("it holds more than {} tensors", kMaxTensors)};
        contents_.tensors.push_back(
            {name.empty() ? "tensor" : name, static_cast<std::size_t>(value.integer() - PtStorages::kFirstTensor)});
        return count(name);
      case PickleKind::kDict:
        for (std::size_t i = 0; i < value.size(); ++i)
          if (auto done = child(value.value(i), name, keyText(value.key(i)), depth, in_object); !done) return done;
        return {};
      case PickleKind::kList:
      case PickleKind::kTuple:
        for (std::size_t i = 0; i < value.size(); ++i)
          if (auto done = child(value.item(i), name, std::to_string(i), depth, in_object); !done) return done;
        return {};
      case PickleKind::kObject:
        if (contents_.objects.size() < kMaxValues) {
          contents_.objects.push_back({name, std::string(value.text())});
          if (auto counted = count(name); !counted) return counted;
        }
        if (const auto attributes = value.state()) return visit(*attributes, name, depth + 1, true);
        return {};
      default:
        return scalar(value, name);
    }
  }

 private:
  static std::string keyText(PickleValue key) {
    switch (key.kind()) {
      case PickleKind::kString:
        return std::string(key.text().substr(0, kMaxNameBytes + 1));
      case PickleKind::kInt:
        return std::to_string(key.integer());
      case PickleKind::kBool:
        return key.integer() ? "True" : "False";
      case PickleKind::kFloat:
        return fmt::format("{}", key.real());
      case PickleKind::kNone:
        return "None";
      default:
        return "?";
    }
  }
  Result<void> child(PickleValue value, const std::string& name, const std::string& key, int depth, bool in_object) {
    const std::string joined = name.empty() ? key : name + "." + key;
    if (joined.size() > kMaxNameBytes)
      return Error{fmt::format("the name {} is longer than {} bytes", shownName(joined), kMaxNameBytes)};
    return visit(value, joined, depth + 1, in_object);
  }
  Result<void> count(const std::string& name) {
    num_name_bytes_ += name.size();
    if (num_name_bytes_ > kMaxAllNameBytes)
      return Error{fmt::format("its names take more than {} bytes", kMaxAllNameBytes)};
    return {};
  }
  Result<void> scalar(PickleValue value, const std::string& name) {
    if (contents_.values.size() >= kMaxValues) return {};
    std::string text;
    switch (value.kind()) {
      case PickleKind::kNone:
        text = "None";
        break;
      case PickleKind::kBool:
        text = value.integer() ? "True" : "False";
        break;
      case PickleKind::kInt:
        text = std::to_string(value.integer());
        break;
      case PickleKind::kFloat:
        text = fmt::format("{}", value.real());
        break;
      case PickleKind::kString:
      case PickleKind::kGlobal:
        text = std::string(value.text().substr(0, kMaxValueBytes));
        break;
      default:
        return {};
    }
    contents_.values.push_back({name, std::move(text)});
    return count(name);
  }

  Contents& contents_;
  std::size_t num_visits_ = 0, num_name_bytes_ = 0;
};

}  // namespace

struct PtFile::State {
  std::string name;
  MappedFile file;
  PickleTree tree;
  PtStorages storages;
  PickleTree::Id root = 0;
  std::vector<PtTensor> tensors;
  Contents contents;
  bool is_legacy = false, is_big_endian = false;

  Result<void> read(std::span<const std::byte> bytes) {
    if (bytes.empty()) return Error{"the file is empty"};
    auto done = looksLikeZip(bytes) ? readArchive(bytes) : readStream(bytes);
    return done ? describe() : done;
  }
  Result<void> readArchive(std::span<const std::byte> bytes);
  Result<void> readStream(std::span<const std::byte> bytes);
  Result<void> describe();
  Result<void> check(PtStorage& storage);
};

/// NAME/data.pkl, NAME/byteorder, NAME/data/KEY.
Result<void> PtFile::State::readArchive(std::span<const std::byte> bytes) {
  const auto archive = ZipArchive::parse(bytes);
  if (!archive) return archive.error();
  const ZipEntry* pickle = nullptr;
  for (const auto& entry : archive->entries())
    if (entry.name == "data.pkl" ||
        (entry.name.ends_with("/data.pkl") && entry.name.find('/') == entry.name.size() - 9))
      pickle = &entry;
  if (pickle == nullptr) return Error{"a zip archive, but not one of torch.save (no data.pkl in it)"};
  const std::string folder(pickle->name.substr(0, pickle->name.size() - std::string_view("data.pkl").size()));
  if (archive->find(folder + "constants.pkl") != nullptr)
    return Error{
        "a TorchScript program (torch.jit.save), which would have to be run; save its state_dict() with torch.save"};
  const auto isPlain = [](const ZipEntry& entry) { return entry.method == ZipMethod::kStored; };
  if (!isPlain(*pickle))
    return Error{"its records are compressed, which torch.save never does; unpack it and pack it without compression"};
  if (pickle->size > kMaxPickleBytes)
    return Error{fmt::format("its data.pkl has {} bytes (at most {})", pickle->size, kMaxPickleBytes)};
  // torch.serialization.set_crc32_options(False) leaves every checksum 0.
  const bool has_checksums = pickle->crc != 0;
  if (has_checksums && crc32(pickle->data) != pickle->crc)
    return Error{"the checksum of its data.pkl is wrong; the file is damaged"};
  if (const auto* order = archive->find(folder + "byteorder")) {
    const std::string_view text(reinterpret_cast<const char*>(order->data.data()), order->data.size());
    if (text != "little" && text != "big") return Error{fmt::format("its byte order {} is unknown", shownName(text))};
    is_big_endian = text == "big";
  }
  auto rest = pickle->data;
  const auto made = readPickle(rest, tree, storages);
  if (!made) return Error{"data.pkl, " + made.error().message};
  root = *made;
  for (auto& storage : storages.storages) {
    const auto* record = archive->find(folder + "data/" + storage.key);
    if (record == nullptr) continue;  // reported with the tensor that needs it
    if (!isPlain(*record))
      return Error{fmt::format("record {} is compressed, which torch.save never does", shownName(record->name))};
    const auto wanted = storage.numBytes();
    if (record->size < wanted || record->size - wanted >= dtypeSize(storage.dtype))
      return Error{fmt::format("record {} has {} bytes, its storage of {} {} needs {}", shownName(record->name),
                               record->size, storage.num_elements, storage.dtype, wanted)};
    storage.bytes = record->data;
    storage.is_found = true;
    storage.has_checksum = has_checksums;
    storage.checksum = record->crc;
  }
  return {};
}

/// Pickles: magic number, version, machine, the object, the list of storage keys; then each storage as its number of
/// elements (8 bytes) and its data.
Result<void> PtFile::State::readStream(std::span<const std::byte> bytes) {
  is_legacy = true;
  if (bytes.size() < 2 || bytes[0] != std::byte{0x80}) return Error{"not a file of torch.save"};
  auto rest = bytes;
  const auto next = [&](std::string_view what) -> Result<PickleValue> {
    auto part = rest.first(std::min(rest.size(), kMaxPickleBytes));
    const auto before = part.size();
    const auto id = readPickle(part, tree, storages);
    if (!id) return Error{fmt::format("{}, {}", what, id.error().message)};
    rest = rest.subspan(before - part.size());
    return tree.at(*id);
  };
  const auto magic = next("the magic number");
  if (!magic || magic->text() != kLegacyMagic)
    return Error{"a pickle, but not one of torch.save (its magic number is missing)"};
  const auto version = next("the version");
  if (!version) return version.error();
  if (version->integer() != 1001)
    return Error{fmt::format("version {} of torch.save's stream is unknown (1001 is read)", version->integer())};
  const auto machine = next("the description of the machine");
  if (!machine) return machine.error();
  if (const auto little = machine->find("little_endian")) is_big_endian = little->integer() == 0;
  const auto object = next("the saved object");
  if (!object) return object.error();
  root = object->id();
  const auto keys = next("the list of storages");
  if (!keys) return keys.error();
  if (!keys->is(PickleKind::kList)) return Error{"its list of storages is not a list"};
  for (std::size_t i = 0; i < keys->size(); ++i) {
    auto* storage = storages.find(keys->item(i).text());
    if (storage == nullptr || storage->is_found)
      return Error{fmt::format("storage {} belongs to no tensor or is listed twice", shownName(keys->item(i).text()))};
    std::uint64_t num = 0;
    if (rest.size() < 8)
      return Error{fmt::format("storage {} is missing; the file is cut short", shownName(storage->key))};
    std::memcpy(&num, rest.data(), 8);
    if (is_big_endian) num = __builtin_bswap64(num);
    if (num != storage->num_elements)
      return Error{fmt::format("storage {} has {} elements, {} are announced; the file is damaged",
                               shownName(storage->key), num, storage->num_elements)};
    rest = rest.subspan(8);
    if (rest.size() < storage->numBytes())
      return Error{fmt::format("storage {} needs {} bytes, {} are left; the file is cut short", shownName(storage->key),
                               storage->numBytes(), rest.size())};
    storage->bytes = rest.first(storage->numBytes());
    storage->is_found = true;
    rest = rest.subspan(storage->numBytes());
  }
  return {};
}

Result<void> PtFile::State::describe() {
  if (auto walked = Walk(contents).visit(tree.at(root), "", 0, false); !walked) return walked;
  std::unordered_map<std::size_t, const std::string*> names;
  std::unordered_set<std::string_view> seen;
  for (const auto& found : contents.tensors) {
    names.emplace(found.tensor, &found.name);
    if (!seen.insert(found.name).second) return Error{fmt::format("tensor {} is there twice", shownName(found.name))};
  }
  const auto nameOf = [&](std::size_t i) {
    const auto known = names.find(i);
    return known == names.end() ? fmt::format("tensor number {} (inside an object)", i)
                                : "tensor " + shownName(*known->second);
  };
  if (auto placed = storages.place(is_big_endian, nameOf); !placed) return placed;
  for (auto& found : contents.tensors) {
    const auto& plan = storages.tensors[found.tensor];
    tensors.push_back({std::move(found.name), plan.view, plan.storage});
  }
  contents.tensors.clear();
  return {};
}

Result<void> PtFile::State::check(PtStorage& storage) {
  if (!storage.has_checksum || storage.is_checked) return {};
  constexpr std::size_t kPiece = std::size_t{64} << 20;
  std::uint32_t crc = 0;
  for (std::size_t at = 0; at < storage.bytes.size(); at += kPiece) {
    const auto piece = storage.bytes.subspan(at, std::min(kPiece, storage.bytes.size() - at));
    crc = crc32(piece, crc);
    if (storage.bytes.size() > kPiece) file.release(piece);
  }
  if (crc != storage.checksum)
    return Error{fmt::format("the checksum of its storage {} is wrong; the file is damaged", shownName(storage.key))};
  storage.is_checked = true;
  return {};
}

PtFile::PtFile(std::unique_ptr<State> state) : state_(std::move(state)) {}
PtFile::~PtFile() = default;
PtFile::PtFile(PtFile&&) noexcept = default;
PtFile& PtFile::operator=(PtFile&&) noexcept = default;

Result<PtFile> PtFile::open(const std::filesystem::path& path) {
  auto file = MappedFile::open(path);
  if (!file) return file.error();
  auto state = std::make_unique<State>();
  state->name = path.string();
  state->file = std::move(*file);
  if (auto done = state->read(state->file.bytes()); !done)
    return Error{fmt::format("{}: {}", state->name, done.error().message)};
  return PtFile(std::move(state));
}

Result<PtFile> PtFile::parse(std::span<const std::byte> bytes, const std::string& name) {
  auto state = std::make_unique<State>();
  state->name = name;
  if (auto done = state->read(bytes); !done) return Error{fmt::format("{}: {}", name, done.error().message)};
  return PtFile(std::move(state));
}

PickleValue PtFile::root() const { return state_->tree.at(state_->root); }
const std::vector<PtTensor>& PtFile::tensors() const { return state_->tensors; }
const std::vector<PtValue>& PtFile::values() const { return state_->contents.values; }
const std::vector<PtValue>& PtFile::objects() const { return state_->contents.objects; }
bool PtFile::isLegacy() const { return state_->is_legacy; }

const StoredTensor* PtFile::tensorOf(PickleValue value) const {
  if (!value.is(PickleKind::kForeign) || value.integer() < PtStorages::kFirstTensor) return nullptr;
  return &state_->storages.tensors[static_cast<std::size_t>(value.integer() - PtStorages::kFirstTensor)].view;
}

Result<void> PtFile::copy(const PtTensor& tensor, std::span<std::byte> out) {
  const auto fail = [&](const std::string& what) {
    return Error{fmt::format("{}: tensor {}: {}", state_->name, shownName(tensor.name), what)};
  };
  if (auto checked = state_->check(state_->storages.storages[tensor.storage]); !checked)
    return fail(checked.error().message);
  const auto& view = tensor.view;
  const bool is_plain =
      view.bytes.size() == out.size() && !view.is_big_endian && view.strides == rowMajorStrides(view.shape);
  if (is_plain) {
    state_->file.copyOut(view.bytes, out);
  } else {
    copyContiguous(view, out);
  }
  state_->file.release(view.bytes);
  return {};
}

}  // namespace meanflow::base
