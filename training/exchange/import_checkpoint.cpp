// SPDX-License-Identifier: Apache-2.0
#include "training/exchange/import_checkpoint.h"

#include <spdlog/fmt/fmt.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/base/run/atomic_file.h"
#include "training/exchange/import_plan.h"
#include "training/exchange/import_target.h"

namespace meanflow::training {
namespace {

namespace fs = std::filesystem;

base::Result<void> writeStage(const ImportPlan& plan, const fs::path& folder, std::int64_t step) {
  for (const auto& [name, origins] : {std::pair<const char*, const TensorOrigins*>{"model", &plan.model},
                                      {"ema", &plan.ema},
                                      {"optimizer", &plan.optimizer}}) {
    if (origins->empty()) continue;
    if (auto written =
            writeTensors(folder / (std::string(name) + ".safetensors"), plan.checkpoint, *origins, Finite::kDemanded);
        !written)
      return base::Error{written.error().message + "; nothing was imported"};
  }
  const nlohmann::ordered_json state = {{"format_version", 1}, {"step", step},           {"total_steps", step},
                                        {"images_seen", 0},    {"wall_seconds", 0.0},    {"cpu_seconds", 0.0},
                                        {"imported", true},    {"verified_finite", true}};
  return base::writeFileAtomically(folder / "state.json", state.dump(2));
}

void finishConfig(base::RunConfig& config, const std::string& stage, std::int64_t step) {
  const auto own = [step](auto& section) { section.weights.clear(), section.training.steps = step; };
  if (stage == "encoder") own(config.encoder);
  if (stage == "decoder") own(config.decoder);
  if (stage == "teacher") own(config.teacher);
  if (stage == "cmt") own(config.cmt);
  if (stage == "mean_flow") own(config.mean_flow);
  if (stage == "statistics") config.decoder.statistics.clear();
}

}  // namespace

base::Result<ImportReport> importCheckpoint(const ImportRequest& request) {
  auto target = ImportTarget::prepare(request.out, request.config, request.overrides);
  if (!target) return target.error();
  const auto before = target->config();
  auto plan = recogniseImport(request, before);
  if (!plan) return plan.error();
  if (target->held().has(plan->stage) && !request.force)
    return base::Error{fmt::format("{} already holds a stage {}; --force replaces it", request.out, plan->stage),
                       base::ErrorKind::kUsage};

  ImportReport report;
  describeImport(*plan, request, report);
  auto described = configOfImport(*plan, before, target->held(), report);
  if (!described) return described.error();
  auto after = std::move(*described);
  finishConfig(after, plan->stage, report.step);
  const bool is_statistics = plan->stage == "statistics";
  core::TensorMap moments;
  if (is_statistics) {
    auto read = readImportedStatistics(*plan);
    if (!read) return read.error();
    moments = std::move(*read);
  } else if (auto mapped = mapImport(*plan, request, after, report); !mapped) {
    return mapped.error();
  }
  report.changed = base::difference(before, after);
  const auto written =
      is_statistics
          ? target->writeStatistics(moments, after, report)
          : target->writeCheckpoint(
                plan->stage, report.step,
                [&](const fs::path& folder) { return writeStage(*plan, folder, report.step); }, after, report);
  if (!written) return written.error();
  return report;
}

}  // namespace meanflow::training
