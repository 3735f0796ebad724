// SPDX-License-Identifier: Apache-2.0
#include "core/checkpoint/tensor_file.h"

#include <fstream>
#include <nlohmann/json.hpp>

namespace meanflow::core {
namespace {

torch::ScalarType scalarType(const std::string& name) {
  static const std::map<std::string, torch::ScalarType> kTypes = {
      {"F64", torch::kFloat64}, {"F32", torch::kFloat32}, {"F16", torch::kHalf},  {"BF16", torch::kBFloat16},
      {"I64", torch::kInt64},   {"I32", torch::kInt32},   {"I16", torch::kInt16}, {"I8", torch::kInt8},
      {"U8", torch::kUInt8},    {"BOOL", torch::kBool}};
  return kTypes.at(name);
}

}  // namespace

base::Result<TensorFile> loadTensorFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::uint64_t header_size = 0;
  if (!file.read(reinterpret_cast<char*>(&header_size), 8)) return base::Error{path + ": cannot be read"};
  std::string text(header_size, '\0');
  file.read(text.data(), static_cast<std::streamsize>(header_size));
  TensorFile result;
  const auto header = nlohmann::json::parse(text);
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") continue;
    auto tensor = torch::empty(entry["shape"].get<std::vector<std::int64_t>>(), scalarType(entry["dtype"]));
    file.seekg(static_cast<std::streamoff>(8 + header_size + entry["data_offsets"][0].get<std::uint64_t>()));
    if (tensor.numel() > 0) file.read(static_cast<char*>(tensor.data_ptr()), static_cast<std::streamsize>(tensor.nbytes()));
    result.tensors.emplace(name, tensor);
  }
  return result;
}

base::Result<TensorMap> loadTensors(const std::string& path) {
  auto file = loadTensorFile(path);
  if (!file) return file.error();
  return std::move(file).value().tensors;
}

}  // namespace meanflow::core
