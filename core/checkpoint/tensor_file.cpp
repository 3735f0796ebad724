// SPDX-License-Identifier: Apache-2.0
#include "core/checkpoint/tensor_file.h"

#include <sstream>

#include "core/base/formats/safetensors.h"
#include "core/checkpoint/dtypes.h"

namespace meanflow::core {
base::Result<TensorFile> loadTensorFile(const std::string& path) {
  const auto file = base::SafetensorsFile::open(path);
  if (!file) return file.error();
  TensorFile result{.tensors = {}, .metadata = file->metadata()};
  for (const auto& [name, view] : file->tensors()) {
    const auto type = scalarTypeOf(view.dtype);
    if (!type) {
      return base::Error{path + ": tensor '" + name + "' has dtype " + view.dtype + ", which LibTorch cannot hold"};
    }
    const auto tensor = torch::empty(view.shape, *type);
    file->copy(view, {static_cast<std::byte*>(tensor.data_ptr()), view.bytes.size()});
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
    const auto dtype = dtypeNameOf(tensor.scalar_type());
    if (dtype.empty() || dtype == "C128") {
      std::ostringstream message;
      message << path << ": tensor '" << name << "' has dtype " << tensor.scalar_type()
              << ", which safetensors has no name for";
      return base::Error{message.str()};
    }
    held.push_back(tensor.detach().to(torch::kCPU).contiguous());
    const auto& data = held.back();
    entries.push_back({.spec = {.name = name, .dtype = std::string(dtype), .shape = data.sizes().vec()},
                       .bytes = {static_cast<const std::byte*>(data.const_data_ptr()), data.nbytes()}});
  }
  return base::writeSafetensors(path, std::move(entries), metadata);
}

}  // namespace meanflow::core
