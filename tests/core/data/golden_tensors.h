// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <torch/torch.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/support/studio_test.h"

namespace meanflow::testing {

/// Tensors of tests/golden/CASE/FILE. A dozen lines instead of the real reader, so that tests of the reader and of
/// everything else do not share its bugs.
inline std::map<std::string, torch::Tensor> goldenTensors(const std::string& name, const std::string& file) {
  const std::map<std::string, torch::ScalarType> types = {
      {"U8", torch::kUInt8}, {"I64", torch::kInt64}, {"F32", torch::kFloat32}, {"F64", torch::kFloat64}};
  std::ifstream stream(testsFolder() + "/golden/" + name + "/" + file, std::ios::binary);
  TORCH_CHECK(stream.good(), "no golden file ", name, "/", file);
  std::uint64_t header_size = 0;
  stream.read(reinterpret_cast<char*>(&header_size), sizeof header_size);
  std::string header(header_size, '\0');
  stream.read(header.data(), static_cast<std::streamsize>(header_size));
  std::map<std::string, torch::Tensor> tensors;
  const auto parsed = nlohmann::json::parse(header);
  for (const auto& [key, entry] : parsed.items()) {
    if (key == "__metadata__") continue;
    auto tensor =
        torch::empty(entry["shape"].get<std::vector<std::int64_t>>(), types.at(entry["dtype"].get<std::string>()));
    const auto offsets = entry["data_offsets"].get<std::vector<std::int64_t>>();
    stream.seekg(static_cast<std::streamoff>(8 + header_size) + offsets[0]);
    stream.read(static_cast<char*>(tensor.data_ptr()), offsets[1] - offsets[0]);
    tensors[key] = tensor;
  }
  return tensors;
}

inline nlohmann::json goldenCase(const std::string& name) {
  std::ifstream stream(testsFolder() + "/golden/" + name + "/case.json");
  return nlohmann::json::parse(stream);
}

}  // namespace meanflow::testing
