// SPDX-License-Identifier: Apache-2.0
#include "training/verify/case_folder.h"

#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace meanflow::training {
namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t kMaxJsonBytes = 64 << 20;

std::string shapeText(torch::IntArrayRef shape) {
  std::string text;
  for (const auto size : shape)
    text += (text.empty() ? "" : ", ") + (size < 0 ? std::string("any") : std::to_string(size));
  return "[" + text + "]";
}

}  // namespace

base::Result<CaseFolder> CaseFolder::open(const std::string& path) {
  CaseFolder folder;
  folder.path_ = path;
  std::error_code failed;
  const auto bytes = fs::file_size(folder.jsonFile(), failed);
  if (failed) return base::Error{folder.jsonFile() + ": cannot be read; is this the folder of one golden case?"};
  if (bytes > kMaxJsonBytes)
    return base::Error{folder.jsonFile() + ": " + std::to_string(bytes) + " bytes are too many for a description"};
  std::ifstream stream(folder.jsonFile());
  if (!stream) return base::Error{folder.jsonFile() + ": cannot be opened"};
  folder.json_ = nlohmann::json::parse(stream, nullptr, false);
  if (folder.json_.is_discarded()) return base::Error{folder.jsonFile() + ": is not valid JSON"};
  try {
    folder.name_ = folder.description().text("case");
  } catch (const std::exception& error) {
    return base::Error{error.what()};
  }
  return folder;
}

base::Result<void> CaseFolder::loadTensors() {
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(path_, failed)) {
    if (entry.path().extension() != ".safetensors") continue;
    auto tensors = core::loadTensors(entry.path().string());
    if (!tensors) return tensors.error();
    files_.emplace(entry.path().stem().string(), std::move(tensors).value());
  }
  if (failed) return base::Error{path_ + ": cannot be listed"};
  return {};
}

bool CaseFolder::hasColumn(core::Precision asked) const {
  const auto dtype =
      description().has("dtype") && description().json()["dtype"].is_string() ? description().text("dtype") : "float32";
  const bool is_double = dtype.find("float64") != std::string::npos;
  return asked == core::Precision::kFp64 ? is_double : !is_double || dtype.find("float32") != std::string::npos;
}

bool CaseFolder::has(const std::string& stem, const std::string& tensor_name) const {
  const auto found = files_.find(stem);
  return found != files_.end() && found->second.contains(tensor_name);
}

std::vector<std::string> CaseFolder::names(const std::string& stem) const {
  std::vector<std::string> result;
  if (const auto found = files_.find(stem); found != files_.end())
    for (const auto& entry : found->second) result.push_back(entry.first);
  return result;
}

const core::TensorMap& CaseFolder::file(const std::string& stem) const {
  const auto found = files_.find(stem);
  if (found == files_.end()) throw std::runtime_error(tensorFile(stem) + " is missing");
  for (const auto& entry : found->second) read_.insert(stem + "/" + entry.first);
  return found->second;
}

const torch::Tensor& CaseFolder::expected(const std::string& stem, const std::string& tensor_name) const {
  const auto found = files_.find(stem);
  if (found == files_.end()) throw std::runtime_error(tensorFile(stem) + " is missing");
  const auto tensor = found->second.find(tensor_name);
  if (tensor == found->second.end())
    throw std::runtime_error(tensorFile(stem) + ": tensor '" + tensor_name + "' is missing");
  return tensor->second;
}

const torch::Tensor& CaseFolder::tensor(const std::string& stem, const std::string& tensor_name) const {
  const auto& found = expected(stem, tensor_name);
  read_.insert(stem + "/" + tensor_name);
  return found;
}

const torch::Tensor& CaseFolder::host(const std::string& tensor_name, torch::IntArrayRef shape) const {
  const auto& found = host(tensor_name);
  bool fits = found.dim() == static_cast<std::int64_t>(shape.size());
  for (std::size_t i = 0; fits && i < shape.size(); ++i)
    fits = shape[i] < 0 || found.size(static_cast<std::int64_t>(i)) == shape[i];
  if (!fits)
    throw std::runtime_error(tensorFile("io") + ": tensor '" + tensor_name + "' has shape " + shapeText(found.sizes()) +
                             ", expected " + shapeText(shape));
  return found;
}

torch::Tensor CaseFolder::labels(const std::string& tensor_name, torch::IntArrayRef shape,
                                 std::int64_t num_classes) const {
  const auto& found = host(tensor_name, shape);
  if (found.scalar_type() != torch::kInt64)
    throw std::runtime_error(tensorFile("io") + ": tensor '" + tensor_name + "' must hold int64 labels");
  if (found.numel() > 0 && (found.min().item<std::int64_t>() < 0 || found.max().item<std::int64_t>() > num_classes))
    throw std::runtime_error(tensorFile("io") + ": tensor '" + tensor_name + "' has labels outside [0, " +
                             std::to_string(num_classes) + "]");
  return found.to(device);
}

std::vector<std::string> CaseFolder::untouched(const std::set<std::string>& compared) const {
  std::vector<std::string> result;
  for (const auto& [stem, tensors] : files_)
    for (const auto& entry : tensors) {
      auto name = stem + "/" + entry.first;
      if (!compared.contains(name) && !read_.contains(name)) result.push_back(std::move(name));
    }
  return result;
}

}  // namespace meanflow::training
