// SPDX-License-Identifier: Apache-2.0
#include "training/diagnostics/block_groups.h"

#include <torch/torch.h>

#include <algorithm>
#include <cctype>

namespace meanflow::training {

std::string blockOf(std::string_view parameter) {
  bool is_in_list = false;
  std::size_t end = 0;
  for (std::size_t begin = 0; begin < parameter.size(); begin = end + 1) {
    end = std::min(parameter.find('.', begin), parameter.size());
    const auto part = parameter.substr(begin, end - begin);
    const bool is_number =
        !part.empty() && std::all_of(part.begin(), part.end(), [](unsigned char c) { return std::isdigit(c); });
    if (is_number && is_in_list) return std::string(parameter.substr(0, end));
    is_in_list = part.ends_with("blocks") || part.ends_with("layers");
  }
  return std::string(parameter.substr(0, parameter.find('.')));
}

BlockGroups::BlockGroups(const NamedTensors& parameters) {
  std::vector<std::int64_t> rows;
  for (const auto& [name, tensor] : parameters) {
    if (!tensor.requires_grad()) continue;
    const auto block = blockOf(name);
    auto at = std::find(names_.begin(), names_.end(), block);
    if (at == names_.end()) at = names_.insert(names_.end(), block);
    parameters_.emplace_back(name, tensor);
    block_of_.push_back(static_cast<std::size_t>(at - names_.begin()));
    rows.push_back(at - names_.begin());
  }
  rows_ = torch::tensor(rows, torch::kInt64);
  if (!parameters_.empty()) rows_ = rows_.to(parameters_.front().second.device());
}

torch::Tensor BlockGroups::gather(const torch::Tensor& norms) const {
  const torch::NoGradGuard no_grad;
  const auto squares = norms.to(torch::kFloat32).square();
  return torch::zeros({static_cast<std::int64_t>(names_.size())}, squares.options())
      .index_add(0, rows_, squares)
      .sqrt();
}

}  // namespace meanflow::training
