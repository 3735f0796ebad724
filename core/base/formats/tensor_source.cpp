// SPDX-License-Identifier: Apache-2.0
#include "core/base/formats/tensor_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <fstream>

#include "core/base/formats/numpy_file.h"
#include "core/base/formats/pt_file.h"
#include "core/base/formats/safetensors.h"

namespace meanflow::base {
namespace fs = std::filesystem;
namespace {

TensorEntry entryOf(const std::string& name, const std::string& dtype, const std::vector<std::int64_t>& shape) {
  return {name, dtype, shape, numBytes(shape, dtypeSize(dtype)).value_or(0)};
}

class SafetensorsSource final : public TensorSource {
 public:
  explicit SafetensorsSource(SafetensorsFile file) : file_(std::move(file)) {
    path_ = file_.path();
    format_ = "safetensors";
    for (const auto& [name, view] : file_.tensors()) {
      entries_.push_back(entryOf(name, view.dtype, view.shape));
      views_.push_back(&view);
    }
    values_.assign(file_.metadata().begin(), file_.metadata().end());
  }
  Result<void> read(std::size_t i, std::span<std::byte> out) override {
    file_.copy(*views_.at(i), out);
    return {};
  }

 private:
  SafetensorsFile file_;
  std::vector<const TensorView*> views_;
};

class PtSource final : public TensorSource {
 public:
  PtSource(PtFile file, const fs::path& path) : file_(std::move(file)) {
    path_ = path;
    format_ = file_.isLegacy() ? "torch stream" : "torch zip";
    for (const auto& tensor : file_.tensors())
      entries_.push_back(entryOf(tensor.name, tensor.view.dtype, tensor.view.shape));
    const auto root = file_.root();
    for (std::size_t i = 0; root.is(PickleKind::kDict) && i < root.size(); ++i)
      if (root.value(i).is(PickleKind::kDict) && root.key(i).is(PickleKind::kString))
        groups_.emplace_back(root.key(i).text());
    for (const auto& value : file_.values()) values_.emplace_back(value.name, value.text);
    for (const auto& object : file_.objects())
      unreadable_.push_back(fmt::format("{}: an object of class {}", shownName(object.name), shownName(object.text)));
  }
  Result<void> read(std::size_t i, std::span<std::byte> out) override { return file_.copy(file_.tensors().at(i), out); }

 private:
  PtFile file_;
};

class NumpySource final : public TensorSource {
 public:
  NumpySource(NumpyFile file, const fs::path& path) : file_(std::move(file)) {
    path_ = path;
    format_ = "numpy";
    for (const auto& array : file_.arrays())
      entries_.push_back(entryOf(array.name, array.view.dtype, array.view.shape));
    unreadable_ = file_.unreadable();
  }
  Result<void> read(std::size_t i, std::span<std::byte> out) override { return file_.copy(file_.arrays().at(i), out); }

 private:
  NumpyFile file_;
};

template <class Source, class File>
Result<std::unique_ptr<TensorSource>> wrap(Result<File> file, const fs::path& path) {
  if (!file) return file.error();
  return std::unique_ptr<TensorSource>(std::make_unique<Source>(std::move(file).value(), path));
}

}  // namespace

Result<std::unique_ptr<TensorSource>> openTensorFile(const fs::path& path) {
  std::error_code code;
  if (!fs::is_regular_file(path, code))
    return Error{fmt::format("{}: {}", path.string(), fs::exists(path, code) ? "is not a file" : "does not exist")};
  std::ifstream stream(path, std::ios::binary);
  std::string head(300, '\0');
  stream.read(head.data(), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<std::size_t>(stream.gcount()));
  if (!stream && !stream.eof()) return Error{fmt::format("{}: cannot be read", path.string())};
  const auto refuse = [&](std::string_view what) { return Error{fmt::format("{}: {}", path.string(), what)}; };
  const auto starts = [&](std::string_view text) { return head.starts_with(text); };

  if (head.empty()) return refuse("the file is empty");
  if (starts("version https://git-lfs"))
    return refuse("is a Git LFS pointer, not the weights; fetch them with `git lfs pull`");
  if (starts("<!DOCTYPE") || starts("<!doctype") || starts("<html"))
    return refuse("is a web page, not the weights; download it again");
  // The length of a safetensors header may begin with the bytes of another kind (0x80 is that of a pickle).
  const bool is_safetensors = head.size() > 8 && head[8] == '{' && head.substr(4, 4) == std::string(4, '\0');
  if (is_safetensors) {
    auto file = SafetensorsFile::open(path);
    if (!file) return file.error();
    return std::unique_ptr<TensorSource>(std::make_unique<SafetensorsSource>(std::move(file).value()));
  }
  if (starts("\x93NUMPY")) return wrap<NumpySource>(NumpyFile::open(path), path);
  if (starts("\x80")) return wrap<PtSource>(PtFile::open(path), path);
  // An archive without entries begins with its end record; PtFile then says what is missing.
  if (starts("PK\x03\x04") || starts("PK\x05\x06")) {
    // torch.save's records lie in a folder, numpy's do not.
    std::uint16_t name_size = 0;
    if (head.size() >= 30) std::memcpy(&name_size, head.data() + 26, 2);
    const auto first_name = std::string_view(head).substr(std::min<std::size_t>(30, head.size())).substr(0, name_size);
    if (first_name.ends_with(".npy") && first_name.find('/') == std::string_view::npos)
      return wrap<NumpySource>(NumpyFile::open(path), path);
    return wrap<PtSource>(PtFile::open(path), path);
  }
  if (head.size() > 262 && head.substr(257, 5) == "ustar") return refuse("is a tar archive; unpack it first");
  if (head.size() > 8 && head[8] != '{')
    return refuse("is not a checkpoint (neither safetensors, nor a file of torch.save, nor .npz or .npy)");
  return SafetensorsFile::open(path).error();  // a header beyond every limit, or a file too short to have one
}

}  // namespace meanflow::base
