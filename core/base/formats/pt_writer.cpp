// SPDX-License-Identifier: Apache-2.0
#include "core/base/formats/pt_writer.h"

#include <fmt/format.h>

#include <array>
#include <bit>
#include <cstring>
#include <set>

namespace meanflow::base {
namespace {

constexpr std::size_t kAlignment = 64;  // of every record, as torch.save has it

/// How torch.save writes a dtype: with a storage class of its own, or (storage empty) as untyped bytes and a dtype.
struct TorchDtype {
  std::string_view dtype, storage, name;
};
constexpr auto kDtypes = std::to_array<TorchDtype>({{"F64", "DoubleStorage", ""},
                                                    {"F32", "FloatStorage", ""},
                                                    {"F16", "HalfStorage", ""},
                                                    {"BF16", "BFloat16Storage", ""},
                                                    {"I64", "LongStorage", ""},
                                                    {"I32", "IntStorage", ""},
                                                    {"I16", "ShortStorage", ""},
                                                    {"I8", "CharStorage", ""},
                                                    {"U8", "ByteStorage", ""},
                                                    {"BOOL", "BoolStorage", ""},
                                                    {"C64", "ComplexFloatStorage", ""},
                                                    {"C128", "ComplexDoubleStorage", ""},
                                                    {"U64", "", "uint64"},
                                                    {"U32", "", "uint32"},
                                                    {"U16", "", "uint16"},
                                                    {"F8_E5M2", "", "float8_e5m2"},
                                                    {"F8_E4M3", "", "float8_e4m3fn"},
                                                    {"F8_E5M2FNUZ", "", "float8_e5m2fnuz"},
                                                    {"F8_E4M3FNUZ", "", "float8_e4m3fnuz"},
                                                    {"F8_E8M0", "", "float8_e8m0fnu"}});

/// Writes the object in pickle protocol 2 and collects the tensors on the way.
class PickleWriter {
 public:
  Result<void> dict(const PtItem::Dict& items, const std::string& path, int depth) {
    if (depth > 32) return Error{fmt::format("dictionary {} is nested too deeply", shownName(path))};
    std::set<std::string_view> keys;
    out_ += "}(";
    for (const auto& item : items) {
      const auto name = path.empty() ? item.key : path + "." + item.key;
      if (!keys.insert(item.key).second) return Error{fmt::format("{} is given twice", shownName(name))};
      text(item.key);
      if (auto done = value(item, name, depth); !done) return done;
    }
    out_ += "u";
    return {};
  }

  std::string take() && { return "\x80\x02" + std::move(out_) + "."; }
  std::vector<TensorSpec> tensors;

 private:
  Result<void> value(const PtItem& item, const std::string& name, int depth) {
    if (const auto* dict_value = std::get_if<PtItem::Dict>(&item.value)) return dict(*dict_value, name, depth + 1);
    if (const auto* spec = std::get_if<TensorSpec>(&item.value)) return tensor({name, spec->dtype, spec->shape});
    if (const auto* number = std::get_if<std::int64_t>(&item.value)) integer(*number);
    if (const auto* number = std::get_if<double>(&item.value)) {
      out_ += 'G';
      raw(__builtin_bswap64(std::bit_cast<std::uint64_t>(*number)));
    }
    if (const auto* truth = std::get_if<bool>(&item.value)) out_ += *truth ? '\x88' : '\x89';
    if (const auto* words = std::get_if<std::string>(&item.value)) text(*words);
    return {};
  }
  Result<void> tensor(TensorSpec spec) {
    const auto bad = [&](const std::string& what) {
      return Error{fmt::format("cannot write tensor {}: {}", shownName(spec.name), what)};
    };
    const TorchDtype* dtype = nullptr;
    for (const auto& known : kDtypes)
      if (known.dtype == spec.dtype) dtype = &known;
    if (dtype == nullptr) return bad("unknown dtype " + spec.dtype);
    const auto size = numBytes(spec.shape, dtypeSize(spec.dtype));
    if (!size) return bad("its shape overflows or is negative");
    const bool is_untyped = dtype->storage.empty();
    global("torch._utils", is_untyped ? "_rebuild_tensor_v3" : "_rebuild_tensor_v2");
    out_ += "((";
    text("storage");
    is_untyped ? global("torch.storage", "UntypedStorage") : global("torch", dtype->storage);
    text(std::to_string(tensors.size()));
    text("cpu");
    integer(static_cast<std::int64_t>(is_untyped ? *size : *size / dtypeSize(spec.dtype)));
    out_ += "tQ";
    integer(0);
    tuple(spec.shape);
    tuple(rowMajorStrides(spec.shape));
    out_ += '\x89';  // requires_grad
    global("collections", "OrderedDict");
    out_ += ")R";
    if (is_untyped) global("torch", dtype->name);
    out_ += "tR";
    tensors.push_back(std::move(spec));
    return {};
  }
  void tuple(const std::vector<std::int64_t>& numbers) {
    out_ += '(';
    for (const auto number : numbers) integer(number);
    out_ += 't';
  }
  void integer(std::int64_t number) {
    if (number >= 0 && number < 256) {
      out_ += 'K';
      raw(static_cast<std::uint8_t>(number));
    } else if (number >= INT32_MIN && number <= INT32_MAX) {
      out_ += 'J';
      raw(static_cast<std::int32_t>(number));
    } else {
      out_ += "\x8a\x08";
      raw(number);
    }
  }
  void text(std::string_view words) {
    out_ += 'X';
    raw(static_cast<std::uint32_t>(words.size()));
    out_ += words;
  }
  void global(std::string_view module, std::string_view name) { out_ += fmt::format("c{}\n{}\n", module, name); }
  template <class T>
  void raw(T number) {
    char bytes[sizeof number];
    std::memcpy(bytes, &number, sizeof number);
    out_.append(bytes, sizeof number);
  }

  std::string out_;
};

Result<void> addText(ZipWriter& zip, const std::string& name, std::string_view text) {
  const std::span<const std::byte> piece[] = {std::as_bytes(std::span(text))};
  return zip.add("archive/" + name, piece, kAlignment);
}

}  // namespace

Result<PtWriter> PtWriter::create(const std::filesystem::path& target, const PtItem::Dict& root) {
  PickleWriter pickle;
  if (auto done = pickle.dict(root, "", 0); !done)
    return Error{fmt::format("{}: {}", target.string(), done.error().message)};
  auto tensors = std::move(pickle.tensors);
  auto zip = ZipWriter::create(target);
  if (!zip) return zip.error();
  if (auto done = addText(*zip, "data.pkl", std::move(pickle).take()); !done) return done.error();
  if (auto done = addText(*zip, "byteorder", "little"); !done) return done.error();
  return PtWriter(target, std::move(tensors), std::move(*zip));
}

Result<void> PtWriter::append(std::span<const std::byte> bytes) {
  if (num_appended_ >= tensors_.size())
    return Error{fmt::format("{}: more tensors than were announced", target_.string())};
  const auto& spec = tensors_[num_appended_];
  const auto wanted = *numBytes(spec.shape, dtypeSize(spec.dtype));
  if (bytes.size() != wanted)
    return Error{fmt::format("{}: tensor {}: {} bytes given, its shape needs {}", target_.string(),
                             shownName(spec.name), bytes.size(), wanted)};
  const std::span<const std::byte> piece[] = {bytes};
  return zip_.add(fmt::format("archive/data/{}", num_appended_++), piece, kAlignment);
}

Result<void> PtWriter::commit() {
  if (num_appended_ != tensors_.size())
    return Error{
        fmt::format("{}: {} of the {} announced tensors were given", target_.string(), num_appended_, tensors_.size())};
  if (auto done = addText(zip_, "version", "3\n"); !done) return done;
  return zip_.commit();
}

}  // namespace meanflow::base
