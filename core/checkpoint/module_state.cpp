// SPDX-License-Identifier: Apache-2.0
#include "core/checkpoint/module_state.h"

#include <sstream>

namespace meanflow::core {
namespace {

constexpr std::size_t kMaxNamesShown = 12;

void describeList(std::ostringstream& out, const char* what, const std::vector<std::string>& names) {
  if (names.empty()) return;
  if (out.tellp() > 0) out << '\n';
  out << names.size() << ' ' << what << ": ";
  for (std::size_t i = 0; i < names.size() && i < kMaxNamesShown; ++i) out << (i > 0 ? ", " : "") << names[i];
  if (names.size() > kMaxNamesShown) out << ", and " << names.size() - kMaxNamesShown << " more";
}

LoadReport compare(const TensorMap& target, const TensorMap& source) {
  LoadReport report;
  for (const auto& [name, tensor] : target) {
    const auto found = source.find(name);
    if (found == source.end()) {
      report.missing.push_back(name);
    } else if (found->second.sizes() != tensor.sizes()) {
      std::ostringstream line;
      line << name << ": source " << found->second.sizes() << ", module " << tensor.sizes();
      report.mis_shaped.push_back(line.str());
    }
  }
  for (const auto& entry : source) {
    if (!target.contains(entry.first)) report.unexpected.push_back(entry.first);
  }
  return report;
}

void copyEqual(const TensorMap& source, const TensorMap& target) {
  const torch::NoGradGuard no_grad;
  for (auto [name, tensor] : target) {
    const auto found = source.find(name);
    if (found != source.end() && found->second.sizes() == tensor.sizes()) tensor.copy_(found->second);
  }
}

}  // namespace

TensorMap namedState(const torch::nn::Module& module) {
  TensorMap state;
  for (const auto& entry : module.named_parameters()) state.emplace(entry.key(), entry.value());
  for (const auto& entry : module.named_buffers()) state.emplace(entry.key(), entry.value());
  return state;
}

std::string LoadReport::summary() const {
  if (complete()) return "all tensors match";
  std::ostringstream out;
  describeList(out, "missing from the source", missing);
  describeList(out, "unknown to the module", unexpected);
  describeList(out, "of another shape", mis_shaped);
  return out.str();
}

base::Result<LoadReport> loadInto(torch::nn::Module& module, const TensorMap& tensors, Strictness strictness) {
  const auto target = namedState(module);
  auto report = compare(target, tensors);
  if (strictness == Strictness::kExact && !report.complete()) {
    return base::Error{"weights do not fit the network (check its sizes in the configuration):\n" + report.summary()};
  }
  copyEqual(tensors, target);
  return report;
}

LoadReport copyMatching(const torch::nn::Module& source, torch::nn::Module& target) {
  const auto from = namedState(source), to = namedState(target);
  copyEqual(from, to);
  return compare(to, from);
}

}  // namespace meanflow::core
