// SPDX-License-Identifier: Apache-2.0
#include "core/base/formats/safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

namespace meanflow::base {
namespace {
using Json = nlohmann::json;

// A header needs some hundred bytes a tensor. The reference implementation stops at 100 MB; a bomb of that size would
// take gigabytes once parsed.
constexpr std::uint64_t kMaxHeaderBytes = 32 << 20;
constexpr std::size_t kMaxHeaderTensors = 1'000'000;
constexpr std::string_view kMetadata = "__metadata__";
constexpr std::string_view kNotInFormat = "C128";  // a name of ours for .pt files

std::size_t elementSize(std::string_view dtype) { return dtype == kNotInFormat ? 0 : dtypeSize(dtype); }

struct Entry {
  std::string name;
  TensorView view;
  std::uint64_t begin = 0, end = 0;
};

/// The header's JSON; the message of a failure lacks the file name.
Result<Json> parseHeader(std::string_view text) {
  std::set<std::string> names;
  std::string duplicate;
  bool is_too_deep = false;
  const auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (event == Json::parse_event_t::key && depth == 1 && names.size() <= kMaxHeaderTensors &&
        !names.insert(parsed.get_ref<const std::string&>()).second)
      duplicate = parsed.get<std::string>();
    is_too_deep = is_too_deep || depth > 4;
    return !is_too_deep && names.size() <= kMaxHeaderTensors;  // false: parsed on, but not kept
  };
  Json json = Json::parse(text, watch, false);
  if (is_too_deep) return Error{"the header is not a JSON object of tensors (it is nested too deeply)"};
  if (names.size() > kMaxHeaderTensors)
    return Error{fmt::format("the header lists more than {} tensors", kMaxHeaderTensors)};
  if (json.is_discarded() || !json.is_object()) return Error{"the header is not a JSON object"};
  if (!duplicate.empty()) return Error{fmt::format("tensor {} is listed twice", shownName(duplicate))};
  return json;
}

/// JSON for a message.
std::string shown(const Json& json) {
  const auto text = json.dump();
  return text.size() <= 200 ? text : text.substr(0, 200) + "...";
}

bool isCount(const Json& json) { return json.is_number_unsigned() && json.get<std::uint64_t>() <= INT64_MAX; }

/// One tensor's entry, checked on its own.
Result<Entry> readEntry(const std::string& name, const Json& json, std::uint64_t data_size) {
  const auto bad = [&](const std::string& what) { return Error{fmt::format("tensor {}: {}", shownName(name), what)}; };
  if (!json.is_object() || !json.contains("dtype") || !json["dtype"].is_string() || !json.contains("shape") ||
      !json["shape"].is_array() || !json.contains("data_offsets") || !json["data_offsets"].is_array())
    return bad("needs dtype, shape and data_offsets");
  Entry entry{name, {json["dtype"].get<std::string>(), {}, {}}, 0, 0};
  const auto element_size = elementSize(entry.view.dtype);
  if (element_size == 0) return bad(fmt::format("unknown dtype {}", shownName(entry.view.dtype)));
  for (const auto& side : json["shape"]) {
    if (!isCount(side)) return bad(fmt::format("shape {} is not a list of sizes", shown(json["shape"])));
    entry.view.shape.push_back(side.get<std::int64_t>());
  }
  const auto& offsets = json["data_offsets"];
  if (offsets.size() != 2 || !isCount(offsets[0]) || !isCount(offsets[1]))
    return bad(fmt::format("data_offsets {} are not two positions", shown(offsets)));
  entry.begin = offsets[0].get<std::uint64_t>(), entry.end = offsets[1].get<std::uint64_t>();
  if (entry.begin > entry.end || entry.end > data_size)
    return bad(fmt::format("data_offsets [{}, {}] are outside the {} bytes of data (is the file cut short?)",
                           entry.begin, entry.end, data_size));
  const auto expected = numBytes(entry.view.shape, element_size);
  if (!expected) return bad(fmt::format("shape {} overflows", shown(json["shape"])));
  if (*expected != entry.end - entry.begin)
    return bad(fmt::format("shape {} of {} needs {} bytes, data_offsets give {}", shown(json["shape"]),
                           entry.view.dtype, *expected, entry.end - entry.begin));
  return entry;
}

/// All tensors together must cover the data exactly once.
Result<void> checkCover(std::vector<Entry>& entries, std::uint64_t data_size) {
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return std::pair(a.begin, a.end) < std::pair(b.begin, b.end); });
  std::uint64_t covered = 0;
  for (const auto& entry : entries) {
    if (entry.begin < covered)
      return Error{fmt::format("tensor {}: its data overlaps another tensor's", shownName(entry.name))};
    if (entry.begin > covered)
      return Error{
          fmt::format("tensor {}: a hole of {} bytes before its data", shownName(entry.name), entry.begin - covered)};
    covered = entry.end;
  }
  if (covered != data_size) return Error{fmt::format("{} bytes at the end belong to no tensor", data_size - covered)};
  return {};
}

}  // namespace

Result<SafetensorsFile> SafetensorsFile::open(const std::filesystem::path& path) {
  auto mapped = MappedFile::open(path);
  if (!mapped) return mapped.error();
  SafetensorsFile file;
  file.path_ = path;
  file.file_ = std::move(*mapped);
  if (auto done = file.read(file.file_.bytes()); !done)
    return Error{fmt::format("{}: {}", path.string(), done.error().message)};
  return file;
}

Result<SafetensorsFile> SafetensorsFile::parse(std::span<const std::byte> bytes, const std::string& name) {
  SafetensorsFile file;
  file.path_ = name;
  if (auto done = file.read(bytes); !done) return Error{fmt::format("{}: {}", name, done.error().message)};
  return file;
}

Result<void> SafetensorsFile::read(std::span<const std::byte> bytes) {
  if (bytes.size() < 8) return Error{fmt::format("not a safetensors file ({} bytes)", bytes.size())};
  std::uint64_t header_size = 0;
  std::memcpy(&header_size, bytes.data(), 8);
  if (header_size > kMaxHeaderBytes)
    return Error{
        fmt::format("not a safetensors file: a header of {} bytes (at most {})", header_size, kMaxHeaderBytes)};
  if (header_size > bytes.size() - 8)
    return Error{fmt::format("the header of {} bytes is longer than the file ({} bytes); the file is cut short",
                             header_size, bytes.size())};
  const auto header = parseHeader({reinterpret_cast<const char*>(bytes.data()) + 8, header_size});
  if (!header) return header.error();

  const auto data = bytes.subspan(8 + header_size);
  std::vector<Entry> entries;
  for (const auto& [name, json] : header->items()) {
    if (name == kMetadata) {
      if (!json.is_object()) return Error{"__metadata__ is not an object of texts"};
      for (const auto& [key, value] : json.items()) {
        if (!value.is_string()) return Error{fmt::format("__metadata__ {} is not a text", shownName(key))};
        metadata_[key] = value.get<std::string>();
      }
      continue;
    }
    auto entry = readEntry(name, json, data.size());
    if (!entry) return entry.error();
    entries.push_back(std::move(*entry));
  }
  if (auto covered = checkCover(entries, data.size()); !covered) return covered;
  for (auto& entry : entries) {
    entry.view.bytes = data.subspan(entry.begin, entry.end - entry.begin);
    tensors_.emplace(std::move(entry.name), std::move(entry.view));
  }
  return {};
}

const TensorView* SafetensorsFile::find(const std::string& name) const {
  const auto it = tensors_.find(name);
  return it == tensors_.end() ? nullptr : &it->second;
}

Result<SafetensorsWriter> SafetensorsWriter::create(const std::filesystem::path& target,
                                                    std::vector<TensorSpec> tensors,
                                                    const std::map<std::string, std::string>& metadata) {
  const auto bad = [&](const std::string& name, std::string_view what) {
    return Error{fmt::format("{}: cannot write tensor '{}': {}", target.string(), name, what)};
  };
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header[std::string(kMetadata)] = metadata;
  std::uint64_t offset = 0;
  for (const auto& tensor : tensors) {
    if (tensor.name == kMetadata) return bad(tensor.name, "the name is reserved");
    if (header.contains(tensor.name)) return bad(tensor.name, "the name is given twice");
    const auto element_size = elementSize(tensor.dtype);
    if (element_size == 0) return bad(tensor.name, "unknown dtype " + tensor.dtype);
    const auto size = numBytes(tensor.shape, element_size);
    if (!size) return bad(tensor.name, "its shape overflows or is negative");
    header[tensor.name] = {
        {"dtype", tensor.dtype}, {"shape", tensor.shape}, {"data_offsets", {offset, offset + *size}}};
    offset += *size;
  }
  std::string text = header.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  text.resize((text.size() + 7) / 8 * 8, ' ');  // the data then starts at a multiple of 8
  auto file = AtomicFile::create(target);
  if (!file) return file.error();
  const std::uint64_t header_size = text.size();
  if (auto written = file->write(std::as_bytes(std::span(&header_size, 1))); !written) return written.error();
  if (auto written = file->write(text); !written) return written.error();
  return SafetensorsWriter(target, std::move(*file), offset);
}

Result<void> SafetensorsWriter::append(std::span<const std::byte> bytes) {
  if (bytes.size() > num_expected_ - num_appended_)
    return Error{fmt::format("{}: more tensor data than the {} bytes announced", target_.string(), num_expected_)};
  num_appended_ += bytes.size();
  return file_.write(bytes);
}

Result<void> SafetensorsWriter::commit() {
  if (num_appended_ != num_expected_)
    return Error{fmt::format("{}: {} of the {} announced bytes of tensor data were given", target_.string(),
                             num_appended_, num_expected_)};
  return file_.commit();
}

Result<void> writeSafetensors(const std::filesystem::path& target, std::vector<TensorToWrite> tensors,
                              const std::map<std::string, std::string>& metadata) {
  std::stable_sort(tensors.begin(), tensors.end(), [](const TensorToWrite& a, const TensorToWrite& b) {
    return dtypeSize(a.spec.dtype) > dtypeSize(b.spec.dtype);
  });
  std::vector<TensorSpec> specs;
  for (const auto& tensor : tensors) {
    const auto size = numBytes(tensor.spec.shape, dtypeSize(tensor.spec.dtype));
    if (size && *size != tensor.bytes.size())
      return Error{fmt::format("{}: cannot write tensor '{}': {} bytes given, its shape needs {}", target.string(),
                               tensor.spec.name, tensor.bytes.size(), *size)};
    specs.push_back(tensor.spec);
  }
  auto writer = SafetensorsWriter::create(target, std::move(specs), metadata);
  if (!writer) return writer.error();
  for (const auto& tensor : tensors)
    if (auto appended = writer->append(tensor.bytes); !appended) return appended;
  return writer->commit();
}

}  // namespace meanflow::base
