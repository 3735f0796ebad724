// SPDX-License-Identifier: Apache-2.0
#include "core/checkpoint/tensor_file.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <sstream>

#include "core/base/formats/safetensors.h"

namespace meanflow::core {
namespace {

struct Dtype {
  const char* name;
  torch::ScalarType type;
};
constexpr std::array kDtypes = std::to_array<Dtype>({{"F64", torch::kFloat64},
                                                     {"F32", torch::kFloat32},
                                                     {"F16", torch::kHalf},
                                                     {"BF16", torch::kBFloat16},
                                                     {"I64", torch::kInt64},
                                                     {"I32", torch::kInt32},
                                                     {"I16", torch::kInt16},
                                                     {"I8", torch::kInt8},
                                                     {"U8", torch::kUInt8},
                                                     {"U16", torch::kUInt16},
                                                     {"U32", torch::kUInt32},
                                                     {"U64", torch::kUInt64},
                                                     {"BOOL", torch::kBool},
                                                     {"F8_E5M2", torch::kFloat8_e5m2},
                                                     {"F8_E4M3", torch::kFloat8_e4m3fn}});

}  // namespace

base::Result<TensorFile> loadTensorFile(const std::string& path) {
  const auto file = base::SafetensorsFile::open(path);
  if (!file) return file.error();
  TensorFile result{.tensors = {}, .metadata = file->metadata()};
  for (const auto& [name, view] : file->tensors()) {
    const auto dtype =
        std::find_if(kDtypes.begin(), kDtypes.end(), [&](const Dtype& known) { return view.dtype == known.name; });
    if (dtype == kDtypes.end()) {
      return base::Error{path + ": tensor '" + name + "' has dtype " + view.dtype + ", which LibTorch cannot hold"};
    }
    const auto tensor = torch::empty(view.shape, dtype->type);
    if (!view.bytes.empty()) std::memcpy(tensor.data_ptr(), view.bytes.data(), view.bytes.size());
    result.tensors.emplace(name, tensor);
  }
  return result;
}

base::Result<TensorMap> loadTensors(const std::string& path) {
  auto file = loadTensorFile(path);
  if (!file) return file.error();
  return std::move(file).value().tensors;
}

base::Result<void> saveTensors(const std::string& path, const TensorMap& tensors, const Metadata& metadata) {
  std::vector<torch::Tensor> held;  // contiguous CPU copies live until the file is written
  std::vector<base::TensorToWrite> entries;
  for (const auto& [name, tensor] : tensors) {
    const auto dtype = std::find_if(kDtypes.begin(), kDtypes.end(),
                                    [&](const Dtype& known) { return tensor.scalar_type() == known.type; });
    if (dtype == kDtypes.end()) {
      std::ostringstream message;
      message << path << ": tensor '" << name << "' has dtype " << tensor.scalar_type()
              << ", which safetensors has no name for";
      return base::Error{message.str()};
    }
    held.push_back(tensor.detach().to(torch::kCPU).contiguous());
    const auto& data = held.back();
    entries.push_back({.spec = {.name = name, .dtype = dtype->name, .shape = data.sizes().vec()},
                       .bytes = {static_cast<const std::byte*>(data.const_data_ptr()), data.nbytes()}});
  }
  return base::writeSafetensors(path, std::move(entries), metadata);
}

}  // namespace meanflow::core
