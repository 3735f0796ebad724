// SPDX-License-Identifier: Apache-2.0
#include "core/checkpoint/checkpoint_contents.h"

#include <fmt/format.h>

#include <charconv>
#include <set>

#include "core/base/formats/stored_tensor.h"
#include "core/checkpoint/tensor_statistics.h"

namespace meanflow::core {
namespace {

using Places = std::map<std::string, std::size_t>;

/// Groups of the two sets; nothing where a set is absent.
struct Groups {
  std::optional<std::string> raw, average;
};

Groups weightGroups(const Checkpoint& checkpoint) {
  if (checkpoint.hasGroup("ema") || checkpoint.hasGroup("model")) {
    Groups groups;
    if (checkpoint.hasGroup("ema")) groups.average = "ema";
    if (checkpoint.hasGroup("model")) groups.raw = "model";
    return groups;
  }
  const std::string outer = checkpoint.hasGroup("state_dict") ? "state_dict" : "";
  const auto below = [&](std::string_view name) { return (outer.empty() ? "" : outer + ".") + std::string(name); };
  if (checkpoint.hasGroup(below("ema_denoiser")) || checkpoint.hasGroup(below("denoiser"))) {
    Groups groups;
    if (checkpoint.hasGroup(below("ema_denoiser"))) groups.average = below("ema_denoiser");
    if (checkpoint.hasGroup(below("denoiser"))) groups.raw = below("denoiser");
    return groups;
  }
  return {.raw = outer, .average = std::nullopt};
}

std::optional<std::int64_t> stepOf(const Checkpoint& checkpoint) {
  // A run's checkpoint is called step_00001000.
  const auto folder = checkpoint.source().path().filename().string();
  const bool is_run = checkpoint.source().format() == "run checkpoint" && folder.starts_with("step_");
  for (const auto& text : {is_run ? folder.substr(5) : std::string(), valueOf(checkpoint, "train_steps"),
                           valueOf(checkpoint, "step"), valueOf(checkpoint, "global_step")}) {
    std::int64_t step = 0;
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), step);
    constexpr std::int64_t kMostSteps = 1'000'000'000;  // what a configuration may say
    if (!text.empty() && status == std::errc() && end == text.data() + text.size() && step >= 0 && step <= kMostSteps)
      return step;
  }
  return std::nullopt;
}

Places only(const Places& all, const std::map<std::string, std::string>& file_name_of) {
  Places places;
  for (const auto& [name, file_name] : file_name_of)
    if (const auto found = all.find(file_name); found != all.end()) places.emplace(name, found->second);
  return places;
}

}  // namespace

std::map<std::string, std::size_t> CheckpointPart::tensors(WeightSet set) const {
  auto chosen = (set == WeightSet::kAverage ? average.empty() : !raw.empty()) ? raw : average;
  for (const auto* others : {&raw, &average})
    for (const auto& entry : *others)
      if (isComputed(model, entry.first)) chosen.insert(entry);
  return chosen;
}

TensorShapes CheckpointPart::shapes(const Checkpoint& checkpoint, WeightSet set) const {
  TensorShapes::Map shapes;
  for (const auto& [name, i] : tensors(set)) shapes.emplace(name, checkpoint.tensors()[i].shape);
  return TensorShapes(std::move(shapes));
}

std::string CheckpointContents::description() const {
  if (parts.empty())
    return optimizer_group ? "optimiser state without weights of a known model" : "no model that is known here";
  std::string text;
  for (const auto& part : parts) text += (text.empty() ? "" : "; ") + part.model.description();
  return text;
}

std::string valueOf(const Checkpoint& checkpoint, std::string_view name) {
  for (const auto& [key, text] : checkpoint.source().values())
    if (key == name) return text;
  return {};
}

base::Result<CheckpointContents> contentsOf(const Checkpoint& checkpoint, const KnownSizes& known_before) {
  auto known = known_before;
  if (known.config_json.empty()) known.config_json = checkpoint.source().configJson();
  if (known.model_name.empty()) known.model_name = valueOf(checkpoint, "args.model");
  CheckpointContents contents;
  contents.step = stepOf(checkpoint);
  for (const char* name : {"opt", "optimizer", "optimizer_states.0"})
    if (!contents.optimizer_group && checkpoint.hasGroup(name)) contents.optimizer_group = name;
  if (!contents.optimizer_group && checkpoint.hasGroup("state.0")) contents.optimizer_group = "";
  const auto groups = weightGroups(checkpoint);
  Places raw, average;
  for (const auto& [group, places] : {std::pair{&groups.raw, &raw}, {&groups.average, &average}}) {
    if (!group->has_value()) continue;
    if (checkpoint.tensors().empty()) continue;
    auto found = checkpoint.group(**group, WrapperNames::kStripped);
    if (!found) return found.error();
    *places = std::move(*found);
  }
  TensorShapes::Map shapes;
  for (const auto* places : {&average, &raw})
    for (const auto& [name, i] : *places) shapes.emplace(name, checkpoint.tensors()[i].shape);
  std::set<std::size_t> used;
  for (auto& found : recogniseModels(TensorShapes(std::move(shapes)), known)) {
    CheckpointPart part{.model = std::move(found.model),
                        .raw = only(raw, found.file_name_of),
                        .average = only(average, found.file_name_of),
                        .raw_group = groups.raw.value_or(""),
                        .average_group = groups.average.value_or(""),
                        .ignored = std::move(found.ignored)};
    for (const auto* places : {&part.raw, &part.average})
      for (const auto& [name, i] : *places) used.insert(i);
    contents.parts.push_back(std::move(part));
  }
  contents.num_other_tensors = static_cast<std::int64_t>(checkpoint.tensors().size() - used.size());
  if (groups.raw == "model" && !groups.average)
    contents.notes.push_back(
        "there is no `ema` beside `model`: the official code refuses such a file, here the weights are taken");
  return contents;
}

base::Result<WeightMapping> mapPart(const Checkpoint& checkpoint, const CheckpointPart& part, WeightSet set) {
  const auto network = networkTensors(part.model);
  if (!network) return base::Error{checkpoint.source().path().string() + ": " + network.error().message};
  return mapWeights(*network, part.shapes(checkpoint, set));
}

base::Result<WeightMapping> loadPart(torch::nn::Module& module, const Checkpoint& checkpoint,
                                     const CheckpointPart& part, WeightSet set) {
  NetworkTensors network;
  const auto target = namedState(module);
  for (const auto& [name, tensor] : target) network[name] = {tensor.sizes().vec(), true, true};
  const auto mapping = mapWeights(network, part.shapes(checkpoint, set));
  const auto where = checkpoint.source().path().string();
  if (!mapping.isComplete())
    return base::Error{fmt::format("{} holds {}, which does not fit the configured network: {}", where,
                                   part.model.description(), mapping.summary())};
  const torch::NoGradGuard no_grad;
  for (const auto& [name, i] : part.tensors(set)) {
    auto tensor = checkpoint.read(i);
    if (!tensor) return tensor.error();
    if (const auto bad = countNonFinite(*tensor); bad > 0)
      return base::Error{fmt::format("{}: tensor {} has {} values that are not finite", where,
                                     base::shownName(checkpoint.tensors()[i].name), bad)};
    torch::Tensor(target.at(name)).copy_(*tensor);
  }
  return mapping;
}

}  // namespace meanflow::core
