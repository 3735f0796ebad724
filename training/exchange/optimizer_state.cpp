// SPDX-License-Identifier: Apache-2.0
#include "training/exchange/optimizer_state.h"

#include <spdlog/fmt/fmt.h>
#include <torch/torch.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "core/base/formats/stored_tensor.h"

namespace meanflow::training {
namespace {

/// Finds tensors of the optimiser's group by what stands behind the group's name.
class Group {
 public:
  Group(const core::Checkpoint& checkpoint, const std::string& name)
      : checkpoint_(checkpoint), prefix_(name.empty() ? "" : name + ".") {
    for (std::size_t i = 0; i < checkpoint.tensors().size(); ++i)
      if (const auto& full = checkpoint.tensors()[i].name; full.starts_with(prefix_))
        places_.emplace(full.substr(prefix_.size()), i);
  }
  std::optional<std::size_t> find(const std::string& name) const {
    const auto found = places_.find(name);
    return found == places_.end() ? std::nullopt : std::optional(found->second);
  }
  /// Older PyTorch keeps the step as a number, newer as a tensor.
  std::optional<double> step(const std::string& name) const {
    if (const auto place = find(name)) {
      const auto tensor = checkpoint_.read(*place);
      if (tensor && tensor->numel() == 1 && !tensor->is_complex()) return tensor->to(torch::kFloat64).item<double>();
      return std::nullopt;
    }
    const auto text = core::valueOf(checkpoint_, prefix_ + name);
    std::int64_t number = 0;
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (text.empty() || status != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return static_cast<double>(number);
  }
  /// Parameters that the optimiser was given, over all of its groups.
  std::int64_t numParameters() const {
    std::int64_t count = 0;
    for (const auto& [key, text] : checkpoint_.source().values())
      if (key.starts_with(prefix_ + "param_groups.") && key.find(".params.") != std::string::npos) ++count;
    return count;
  }

 private:
  const core::Checkpoint& checkpoint_;
  std::string prefix_;
  std::map<std::string, std::size_t> places_;
};

FoundOptimizerState leftOut(const std::string& why) { return {{}, "left out, " + why}; }

}  // namespace

FoundOptimizerState findOptimizerState(const core::Checkpoint& checkpoint, const core::CheckpointContents& contents,
                                       const core::CheckpointPart& part, const core::NetworkTensors& network) {
  if (!contents.optimizer_group) return {{}, "none in the file"};
  if (part.raw.empty()) return leftOut("because the file has no raw weights that it belongs to");
  const Group group(checkpoint, *contents.optimizer_group);

  std::vector<std::pair<std::size_t, std::string>> parameters;  // by position in the file
  for (const auto& [name, place] : part.raw)
    if (const auto known = network.find(name); known != network.end() && known->second.is_parameter)
      parameters.emplace_back(place, name);
  std::sort(parameters.begin(), parameters.end());
  const bool is_named = !parameters.empty() && std::any_of(parameters.begin(), parameters.end(), [&](const auto& p) {
    return group.find(p.second + ".exp_avg").has_value();
  });
  const auto num_given = group.numParameters();
  if (!is_named && num_given > 0 && num_given != static_cast<std::int64_t>(parameters.size()))
    return leftOut(
        fmt::format("because it numbers {} parameters and the weights have {}", num_given, parameters.size()));

  FoundOptimizerState found;
  int num_frozen = 0;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const auto& name = parameters[i].second;
    const auto& tensor = network.at(name);
    const auto key = is_named ? name + "." : fmt::format("state.{}.", i);
    const auto average = group.find(key + "exp_avg"), square = group.find(key + "exp_avg_sq");
    if (!tensor.is_trained) {
      num_frozen += average.has_value();
      continue;
    }
    if (!average || !square) return leftOut(fmt::format("because parameter {} ({}) has no moments", i, name));
    for (const auto place : {*average, *square}) {
      const auto& entry = checkpoint.tensors()[place];
      if (entry.shape != tensor.shape)
        return leftOut(fmt::format("because the moments of parameter {} have shape {} and {} has {}", i,
                                   base::shapeText(entry.shape), name, base::shapeText(tensor.shape)));
      if (!entry.dtype.starts_with("F") && entry.dtype != "BF16")
        return leftOut(fmt::format("because the moments of parameter {} have dtype {}", i, entry.dtype));
    }
    const auto step = group.step(key + "step");
    if (!step) return leftOut(fmt::format("because parameter {} ({}) has no step", i, name));
    found.tensors[name + ".exp_avg"] = *average;
    found.tensors[name + ".exp_avg_sq"] = *square;
    found.tensors[name + ".step"] = torch::full({}, *step, torch::kFloat32);
  }
  found.sentence = fmt::format("AdamW moments of {} parameters", found.tensors.size() / 3);
  if (num_frozen > 0)
    found.sentence += fmt::format("; those of {} parameters that are frozen here are left out", num_frozen);
  return found;
}

}  // namespace meanflow::training
