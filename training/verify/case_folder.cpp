// SPDX-License-Identifier: Apache-2.0
#include "training/verify/case_folder.h"

#include <filesystem>
#include <fstream>

namespace meanflow::training {

const core::TensorMap& CaseFolder::file(const std::string& stem) const {
  const auto found = files.find(stem);
  TORCH_CHECK(found != files.end(), name, ": ", path, "/", stem, ".safetensors is missing");
  return found->second;
}

const torch::Tensor& CaseFolder::tensor(const std::string& stem, const std::string& tensor_name) const {
  const auto& tensors = file(stem);
  const auto found = tensors.find(tensor_name);
  TORCH_CHECK(found != tensors.end(), name, ": tensor '", tensor_name, "' is missing from ", stem, ".safetensors");
  return found->second;
}

bool CaseFolder::has(const std::string& stem, const std::string& tensor_name) const {
  const auto found = files.find(stem);
  return found != files.end() && found->second.contains(tensor_name);
}

base::Result<CaseFolder> openCase(const std::string& path) {
  namespace fs = std::filesystem;
  const auto json_path = fs::path(path) / "case.json";
  std::ifstream stream(json_path);
  if (!stream) return base::Error{json_path.string() + ": cannot be read; is this the folder of one golden case?"};
  CaseFolder folder{
      .path = path, .name = {}, .description = nlohmann::json::parse(stream, nullptr, false), .files = {}};
  if (folder.description.is_discarded() || !folder.description.contains("case")) {
    return base::Error{json_path.string() + ": not a JSON object with a `case`"};
  }
  folder.name = folder.description["case"].get<std::string>();
  for (const auto& entry : fs::directory_iterator(path)) {
    if (entry.path().extension() != ".safetensors") continue;
    auto tensors = core::loadTensors(entry.path().string());
    if (!tensors) return tensors.error();
    folder.files.emplace(entry.path().stem().string(), std::move(tensors).value());
  }
  return folder;
}

}  // namespace meanflow::training
