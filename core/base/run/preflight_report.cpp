// SPDX-License-Identifier: Apache-2.0
#include "core/base/run/preflight_report.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace meanflow::base {
namespace {

constexpr double kMib = 1024.0 * 1024.0;

std::string durationText(double seconds) {
  if (seconds < 120) return fmt::format("{:.3g} s", seconds);
  if (seconds < 7200) return fmt::format("{:.3g} min", seconds / 60);
  return seconds < 172800 ? fmt::format("{:.3g} h", seconds / 3600) : fmt::format("{:.3g} days", seconds / 86400);
}

}  // namespace

std::string byteText(std::int64_t bytes) {
  const double mib = static_cast<double>(bytes) / kMib;
  return mib < 1024 ? fmt::format("{:.3g} MiB", mib) : fmt::format("{:.3g} GiB", mib / 1024);
}

bool PreflightReport::isRefused() const {
  return std::any_of(findings.begin(), findings.end(),
                     [](const auto& finding) { return finding.severity == PreflightSeverity::kRefusal; });
}

double PreflightReport::seconds() const {
  double sum = 0;
  for (const auto& stage : stages) sum += stage.seconds();
  return sum;
}

double PreflightReport::deviceHours() const { return seconds() * num_workers / 3600; }

std::int64_t PreflightReport::diskBytes() const {
  std::int64_t sum = 0;
  for (const auto& stage : stages) sum += stage.diskBytes();
  return sum;
}

std::int64_t PreflightReport::peakMemoryBytes() const {
  std::int64_t peak = 0;
  for (const auto& stage : stages) peak = std::max(peak, stage.peak_memory_bytes);
  return peak;
}

std::string_view toString(PreflightOutcome outcome) {
  switch (outcome) {
    case PreflightOutcome::kMeasured:
      return "measured";
    case PreflightOutcome::kTaken:
      return "taken";
    case PreflightOutcome::kNotMeasured:
      return "not_measured";
    case PreflightOutcome::kRefused:
      return "refused";
  }
  return {};
}

std::string_view toString(PreflightSeverity severity) {
  switch (severity) {
    case PreflightSeverity::kGood:
      return "good";
    case PreflightSeverity::kNote:
      return "note";
    case PreflightSeverity::kRefusal:
      return "refusal";
  }
  return {};
}

nlohmann::ordered_json toJson(const PreflightReport& report) {
  nlohmann::ordered_json json = {{"can_start", !report.isRefused()},
                                 {"is_cancelled", report.is_cancelled},
                                 {"device", report.device},
                                 {"num_workers", report.num_workers},
                                 {"seconds", report.seconds()},
                                 {"device_hours", report.deviceHours()},
                                 {"disk_bytes", report.diskBytes()},
                                 {"disk_free_bytes", report.disk_free_bytes},
                                 {"peak_memory_bytes", report.peakMemoryBytes()},
                                 {"memory_total_bytes", report.memory_total_bytes},
                                 {"wall_seconds", report.wall_seconds}};
  json["stages"] = nlohmann::ordered_json::array();
  for (const auto& stage : report.stages)
    json["stages"].push_back({{"stage", stage.stage},
                              {"outcome", toString(stage.outcome)},
                              {"note", stage.note},
                              {"steps", stage.steps},
                              {"measured_steps", stage.measured_steps},
                              {"seconds_per_step", stage.seconds_per_step},
                              {"preparation_seconds", stage.preparation_seconds},
                              {"seconds", stage.seconds()},
                              {"device_hours", stage.seconds() * report.num_workers / 3600},
                              {"num_parameters", stage.num_parameters},
                              {"peak_memory_bytes", stage.peak_memory_bytes},
                              {"checkpoint_bytes", stage.checkpoint_bytes},
                              {"checkpoints_kept", stage.checkpoints_kept},
                              {"disk_bytes", stage.diskBytes()}});
  json["findings"] = nlohmann::ordered_json::array();
  for (const auto& finding : report.findings)
    json["findings"].push_back({{"severity", toString(finding.severity)},
                                {"topic", finding.topic},
                                {"sentence", finding.sentence},
                                {"key", finding.key}});
  return json;
}

std::string toText(const PreflightReport& report) {
  std::string text;
  if (!report.device.empty())
    text +=
        fmt::format("on {} with {} worker{}\n", report.device, report.num_workers, report.num_workers == 1 ? "" : "s");
  if (!report.stages.empty())
    text += fmt::format("{:<10} {:>9} {:>12} {:>12} {:>12} {:>12} {:>12}\n", "stage", "steps", "a step", "to the end",
                        "memory", "checkpoint", "disk");
  for (const auto& stage : report.stages) {
    if (stage.outcome != PreflightOutcome::kMeasured) {
      text += fmt::format("{:<10} {}\n", stage.stage, stage.note);
      continue;
    }
    text +=
        fmt::format("{:<10} {:>9} {:>12} {:>12} {:>12} {:>12} {:>12}\n", stage.stage, stage.steps,
                    durationText(stage.seconds_per_step), durationText(stage.seconds()),
                    byteText(stage.peak_memory_bytes), byteText(stage.checkpoint_bytes), byteText(stage.diskBytes()));
  }
  if (report.seconds() > 0)
    text +=
        fmt::format("all stages: {}, {:.3g} {}, without live pictures and scoring\n", durationText(report.seconds()),
                    report.deviceHours(), report.device.starts_with("cuda") ? "GPU-hours" : "CPU-hours");
  for (const auto& finding : report.findings) {
    const char* mark = finding.severity == PreflightSeverity::kGood   ? "ok"
                       : finding.severity == PreflightSeverity::kNote ? "note"
                                                                      : "REFUSED";
    text += fmt::format("{:<8} {}\n", mark, finding.sentence);
  }
  text += report.is_cancelled ? "cancelled\n" : report.isRefused() ? "cannot start as it is\n" : "can start\n";
  return text;
}

}  // namespace meanflow::base
