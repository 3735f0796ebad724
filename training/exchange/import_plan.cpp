// SPDX-License-Identifier: Apache-2.0
#include "training/exchange/import_plan.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "core/base/formats/hub_cache.h"
#include "core/base/formats/stored_tensor.h"
#include "core/checkpoint/tensor_statistics.h"
#include "training/exchange/optimizer_state.h"
#include "training/stages/networks.h"

namespace meanflow::training {
namespace {

using core::ModelKind;
using core::WeightSet;

std::string stageOf(const ModelKind kind) {
  switch (kind) {
    case ModelKind::kOwnEncoder:
    case ModelKind::kPretrainedEncoder:
      return "encoder";
    case ModelKind::kVitDecoder:
      return "decoder";
    case ModelKind::kLatentStatistics:
      return "statistics";
    default:
      return "teacher";
  }
}

bool isStageOf(ModelKind kind, const std::string& stage) {
  if (kind == ModelKind::kDdt) return stage == "teacher" || stage == "cmt" || stage == "mean_flow";
  return stage == stageOf(kind);
}

/// The part that is to be imported and the stage it becomes. CMT's trainer writes where its configuration lies into the
/// file.
base::Result<std::size_t> choosePart(const core::Checkpoint& checkpoint, const core::CheckpointContents& contents,
                                     const std::string& as, std::string& stage) {
  if (contents.parts.empty())
    return refuseImport(checkpoint,
                        fmt::format("holds {}; `meanflow inspect` lists its tensors", contents.description()));
  for (std::size_t i = 0; i < contents.parts.size(); ++i) {
    const auto& model = contents.parts[i].model;
    stage = as;
    if (stage.empty()) {
      stage = stageOf(model.kind);
      if (model.isStudent())
        stage = core::valueOf(checkpoint, "config_path").find("cmt") != std::string::npos ? "cmt" : "mean_flow";
    }
    if (model.kind == ModelKind::kPlainDit)
      return refuseImport(checkpoint,
                          fmt::format("holds {}, which this version has no network for", model.description()));
    if (isStageOf(model.kind, stage)) return i;
  }
  return refuseImport(checkpoint, fmt::format("holds {}, which is no {}", contents.description(), as),
                      base::ErrorKind::kUsage);
}

base::Result<void> checkDtypes(const ImportPlan& plan, WeightSet set) {
  for (const auto& [name, i] : plan.part.tensors(set)) {
    const auto& entry = plan.checkpoint.tensors()[i];
    const bool is_float = entry.dtype == "F64" || entry.dtype == "F32" || entry.dtype == "F16" || entry.dtype == "BF16";
    if (plan.network.contains(name) && !is_float)
      return refuseImport(plan.checkpoint, fmt::format("tensor {} has dtype {}, but weights are F64, F32, F16 or BF16",
                                                       base::shownName(entry.name), entry.dtype));
  }
  return {};
}

/// The network of `stage` at its start, for tensors that a partial import leaves there.
base::Result<core::TensorMap> initialState(const ImportPlan& plan, const base::RunConfig& config) {
  try {
    switch (plan.part.model.kind) {
      case ModelKind::kDdt: {
        const auto network = plan.stage == "teacher" ? makeTeacher(config, config.data.num_classes)
                                                     : makeStudent(config, config.data.num_classes);
        return core::namedState(*network);
      }
      case ModelKind::kVitDecoder:
        return core::namedState(*makeDecoder(config));
      case ModelKind::kOwnEncoder:
        return core::namedState(*makeEncoder(config));
      default:
        return refuseImport(plan.checkpoint, "only a network that this program trains can be imported in part");
    }
  } catch (const std::exception& error) {
    return refuseImport(plan.checkpoint, error.what());
  }
}

/// Where each tensor of the network comes from in one of the file's sets.
base::Result<TensorOrigins> originsOf(const ImportPlan& plan, WeightSet set, const ImportRequest& request,
                                      const base::RunConfig& config, ImportReport& report) {
  const auto mapping = core::mapWeights(plan.network, plan.part.shapes(plan.checkpoint, set));
  if (!mapping.isComplete() && !request.allow_partial)
    return refuseImport(
        plan.checkpoint,
        fmt::format("holds {}, but as {} it is not complete: {}{}", plan.description, plan.stage, mapping.summary(),
                    request.is_trial ? ""
                                     : "\n(--allow-partial imports it all the same and lists what "
                                       "stays at its initial value)"));
  const auto places = plan.part.tensors(set);
  TensorOrigins origins;
  for (const auto& name : mapping.matched) origins[name] = places.at(name);
  for (const auto& name : mapping.computed) origins[name] = core::computedTensor(plan.part.model, name);
  report.num_matched = static_cast<std::int64_t>(mapping.matched.size());
  report.computed = mapping.computed;
  if (mapping.isComplete()) return origins;

  const auto initial = initialState(plan, config);
  if (!initial) return initial.error();
  report.at_initial_value.clear();
  report.left_out = mapping.report.unexpected;
  report.left_out.insert(report.left_out.end(), mapping.report.mis_shaped.begin(), mapping.report.mis_shaped.end());
  for (const auto& [name, tensor] : plan.network)
    if (!origins.contains(name)) {
      origins[name] = initial->at(name);
      report.at_initial_value.push_back(name);
    }
  return origins;
}

}  // namespace

base::Error refuseImport(const core::Checkpoint& checkpoint, const std::string& what, base::ErrorKind kind) {
  return {fmt::format("{}: {}; nothing was imported", checkpoint.source().path().string(), what), kind};
}

base::Result<ImportPlan> recogniseImport(const ImportRequest& request, const base::RunConfig& config) {
  const auto path = base::findWeights(request.source);
  if (!path) return path.error();
  auto opened = core::Checkpoint::open(path->string());
  if (!opened) return opened.error();
  auto& checkpoint = *opened;
  auto contents = core::contentsOf(checkpoint);
  if (!contents) return contents.error();
  std::string stage;
  auto index = choosePart(checkpoint, *contents, request.as, stage);
  if (!index) return index.error();
  contents = core::contentsOf(checkpoint, knownSizes(config, request.overrides, contents->parts[*index].model));
  if (!contents) return contents.error();
  auto part = contents->parts.at(*index);
  if (!part.model.unknown.empty()) {
    std::string keys;
    for (const auto& size : part.model.unknown) keys += (keys.empty() ? "" : " and ") + keyOf(size, part.model);
    return refuseImport(
        checkpoint,
        fmt::format("holds {}, but its tensors do not tell {}; {}", part.model.description(),
                    fmt::join(part.model.unknown, " and "),
                    request.is_trial
                        ? fmt::format("set {} and the network's widths to its own first", keys)
                        : fmt::format("give {}=..., or --config with a configuration of this network", keys)),
        base::ErrorKind::kUsage);
  }
  const auto description = part.model.description();
  // A stage decides which of the two DiT-DH it is for: a teacher lacks what a student has.
  if (auto* ddt = std::get_if<core::DdtOptions>(&part.model.sizes)) ddt->has_r_embedder = stage != "teacher";
  auto network = core::networkTensors(part.model);
  if (!network) return refuseImport(checkpoint, network.error().message);
  return ImportPlan{.checkpoint = std::move(checkpoint),
                    .contents = std::move(*contents),
                    .part = std::move(part),
                    .description = description,
                    .stage = stage,
                    .network = std::move(*network),
                    .model = {},
                    .ema = {},
                    .optimizer = {}};
}

void describeImport(const ImportPlan& plan, const ImportRequest& request, ImportReport& report) {
  report.source = std::filesystem::absolute(plan.checkpoint.source().path()).string();
  report.format = plan.checkpoint.source().format();
  report.kind = core::toString(plan.part.model.kind);
  report.description = plan.description;
  report.run_folder = request.out;
  report.stage = plan.stage;
  report.num_parameters = plan.part.model.num_parameters;
  report.step = request.step >= 0 ? request.step : plan.contents.step.value_or(0);
  report.ignored = plan.part.ignored;
  report.assumed = plan.part.model.assumed;
  report.notes = plan.contents.notes;
  if (plan.contents.parts.size() > 1)
    for (const auto& other : plan.contents.parts)
      if (other.model.kind != plan.part.model.kind)
        report.notes.push_back(request.is_trial ? fmt::format("the file also holds {}", other.model.description())
                                                : fmt::format("the file also holds {}; import it with --as {}",
                                                              other.model.description(), stageOf(other.model.kind)));
}

base::Result<base::RunConfig> configOfImport(const ImportPlan& plan, const base::RunConfig& config,
                                             const HeldStages& held, ImportReport& report) {
  auto after = config;
  if (auto described = describeInConfig(after, plan.stage, plan.part.model, held, report.assumed); !described)
    return refuseImport(plan.checkpoint, fmt::format("holds {}, but {}", report.description, described.error().message),
                        described.error().kind);
  return after;
}

base::Result<void> mapImport(ImportPlan& plan, const ImportRequest& request, const base::RunConfig& config,
                             ImportReport& report) {
  const auto average_set = request.only.value_or(WeightSet::kAverage), raw_set = request.only.value_or(WeightSet::kRaw);
  for (const auto set : {average_set, raw_set})
    if (auto checked = checkDtypes(plan, set); !checked) return checked;
  auto average = originsOf(plan, average_set, request, config, report);
  if (!average) return average.error();
  auto raw = originsOf(plan, raw_set, request, config, report);
  if (!raw) return raw.error();
  plan.model = std::move(*raw);
  for (auto& [name, origin] : *average)
    if (plan.network.at(name).is_parameter) plan.ema.emplace(name, std::move(origin));
  const bool is_trained_here = plan.part.model.kind != ModelKind::kPretrainedEncoder;
  if (is_trained_here && raw_set == WeightSet::kRaw) {
    auto state = findOptimizerState(plan.checkpoint, plan.contents, plan.part, plan.network);
    plan.optimizer = std::move(state.tensors);
    report.optimizer = std::move(state.sentence);
  }
  const auto groupName = [](const std::string& name) { return name.empty() ? std::string("the file itself") : name; };
  const bool has_raw = !plan.part.raw.empty(), has_average = !plan.part.average.empty();
  const auto from = [&](WeightSet set) {
    const bool is_raw = set == WeightSet::kRaw ? has_raw : !has_average;
    return groupName(is_raw ? plan.part.raw_group : plan.part.average_group);
  };
  report.raw_from = from(raw_set), report.average_from = from(average_set);
  std::set<std::string> dtypes;
  for (const auto& [name, i] : plan.part.tensors(raw_set)) dtypes.insert(plan.checkpoint.tensors()[i].dtype);
  report.dtypes.assign(dtypes.begin(), dtypes.end());
  return {};
}

base::Result<core::TensorMap> readImportedStatistics(const ImportPlan& plan) {
  core::TensorMap moments;
  for (const auto& [name, i] : plan.part.tensors(WeightSet::kAverage)) {
    auto tensor = plan.checkpoint.read(i);
    if (!tensor) return tensor.error();
    const auto values = tensor->to(torch::kFloat32);
    if (core::countNonFinite(values) > 0 || (name == "var" && (values < 0).any().item<bool>()))
      return refuseImport(plan.checkpoint,
                          fmt::format("`{}` holds values that are not finite or a negative variance", name));
    moments.emplace(name, values);
  }
  return moments;
}

}  // namespace meanflow::training
