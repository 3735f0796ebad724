// SPDX-License-Identifier: Apache-2.0
#include "training/exchange/inspect_weights.h"

#include <spdlog/fmt/fmt.h>

#include "core/base/config/config_io.h"
#include "training/exchange/import_plan.h"
#include "training/stages/external_weights.h"

namespace meanflow::training {
namespace {

/// Stages whose weights `config` names already, beside the one that is asked about.
HeldStages namedStages(const base::RunConfig& config, const std::string& stage) {
  HeldStages held;
  held.is_draft = true;
  for (const char* name : {"encoder", "decoder", "teacher", "cmt", "mean_flow"})
    if (name != stage && !namedWeights(config, name).empty()) held.names.insert(name);
  if (stage != "statistics" && !config.decoder.statistics.empty()) held.names.insert("statistics");
  return held;
}

std::int64_t numClassesOf(const core::RecognisedModel& model) {
  if (const auto* ddt = std::get_if<core::DdtOptions>(&model.sizes)) return ddt->num_classes;
  if (const auto* dit = std::get_if<core::LightningDitOptions>(&model.sizes)) return dit->num_classes;
  return 0;
}

base::Result<void> inspect(const base::RunConfig& config, const ImportRequest& request,
                           base::CheckpointFinding& finding) {
  auto plan = recogniseImport(request, config);
  if (!plan) return plan.error();
  if (plan->part.model.kind == core::ModelKind::kLightningDit)
    return refuseImport(
        plan->checkpoint,
        fmt::format("holds {}, which this version cannot train with or sample from; meanflow import and "
                    "export convert it",
                    plan->description));
  ImportReport report;
  describeImport(*plan, request, report);
  const auto after = configOfImport(*plan, config, namedStages(config, request.as), report);
  if (!after) return after.error();
  if (plan->stage == "statistics") {
    if (const auto read = readImportedStatistics(*plan); !read) return read.error();
    finding.num_tensors = 2;
  } else {
    if (const auto mapped = mapImport(*plan, request, *after, report); !mapped) return mapped.error();
    finding.num_computed = static_cast<std::int64_t>(report.computed.size());
    finding.num_tensors = report.num_matched + finding.num_computed;
    finding.weights =
        plan->part.average.empty() ? "weights in " + report.raw_from : "average in " + report.average_from;
  }
  finding.format = report.format;
  finding.description = report.description;
  finding.num_parameters = report.num_parameters;
  finding.num_classes = numClassesOf(plan->part.model);
  finding.assumed = report.assumed;
  finding.notes = report.notes;
  for (auto& change : base::difference(config, *after))
    if (change.key != finding.key) finding.changes.push_back(std::move(change));
  return {};
}

}  // namespace

base::CheckpointFinding inspectWeights(const base::RunConfig& config, const std::string& stage,
                                       const std::string& source) {
  base::CheckpointFinding finding;
  finding.stage = stage;
  finding.source = source;
  finding.key = base::checkpointKey(stage);
  ImportRequest request;
  request.source = source;
  request.as = stage;
  request.is_trial = true;
  try {
    if (const auto inspected = inspect(config, request, finding); !inspected)
      finding.refusal = inspected.error().message;
  } catch (const std::exception& error) {  // LibTorch, on what no check foresaw
    finding.refusal = fmt::format("{}: {}", source, error.what());
  }
  return finding;
}

base::CheckpointFinding inspectWeights(const base::CheckpointQuestion& question) {
  const auto config = base::parseConfig(question.config, "the settings");
  if (config) return inspectWeights(*config, question.stage, question.source);
  base::CheckpointFinding finding;
  finding.stage = question.stage;
  finding.source = question.source;
  finding.key = base::checkpointKey(question.stage);
  finding.refusal = config.error().message;
  return finding;
}

}  // namespace meanflow::training
