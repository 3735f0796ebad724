// SPDX-License-Identifier: Apache-2.0
#include "training/verify/verify_case.h"

#include <algorithm>

#include "training/verify/checkpoint_cases.h"
#include "training/verify/cost_cases.h"
#include "training/verify/flow_cases.h"
#include "training/verify/latent_cases.h"
#include "training/verify/model_cases.h"
#include "training/verify/objective_cases.h"
#include "training/verify/optim_cases.h"
#include "training/verify/rae_cases.h"

namespace meanflow::training {
namespace {

constexpr RegisteredCase kCases[] = {
    {"ddt_dh", runDdt},
    {"lightningdit", runLightningDit},
    {"mf_student", runStudent},
    {"time_samplers", runTimeSamplers, true},
    {"samplers_mf", runMeanFlowSamplers},
    {"samplers_ode", runOdeSamplers},
    {"fm_loss", runFlowMatchingLoss},
    {"cmt", runConsistencyMidTraining},
    {"mfd_loss", runMeanFlowLoss},
    {"mft_loss", runMeanFlowLoss},
    {"lr_schedules", runLrSchedules, true},
    {"optim", runOptimizer, true},
    {"train_fm", runTraining},
    {"train_cmt", runTraining},
    {"train_mfd", runTraining},
    {"train_mft", runTraining},
    {"latent_stats", runLatentStatistics, true},
    {"flops_params", runNetworkCounts, true},
    {"rae_dinov2", runRae},
    {"rae_siglip2", runRae},
    {"rae_mae", runRae},
    {"checkpoints_pt", runCheckpoints, true},
};

std::string oneLine(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  constexpr std::size_t kMaxLength = 600;
  if (text.size() > kMaxLength) text = text.substr(0, kMaxLength) + "...";
  return text;
}

/// What an exception says, with the case's file in front where it does not name one.
std::string described(const CaseFolder& folder, const std::string& what) {
  return oneLine(what.find(folder.path()) == std::string::npos ? folder.path() + ": " + what : what);
}

/// The requested columns that the case has.
std::vector<core::Precision> columnsOf(const CaseFolder& folder, const RegisteredCase& kind,
                                       const VerifyOptions& options) {
  if (kind.is_host_arithmetic) return {core::Precision::kFp32};
  std::vector<core::Precision> result;
  for (const auto column : options.columns)
    if (folder.hasColumn(column) && std::find(result.begin(), result.end(), column) == result.end())
      result.push_back(column);
  return result;
}

void runColumn(CaseFolder& folder, CaseRunner run, core::Precision column, torch::Device device, CaseReport& report,
               std::set<std::string>& compared) {
  folder.column = column;
  folder.device = device;
  CaseChecker checker(folder);
  try {
    const core::PrecisionScope scope(column, device.type());
    run(folder, checker);
  } catch (const c10::Error& error) {
    report.error = described(folder, error.what_without_backtrace());
  } catch (const std::exception& error) {
    report.error = described(folder, error.what());
  }
  report.comparisons.insert(report.comparisons.end(), checker.comparisons().begin(), checker.comparisons().end());
  compared.insert(checker.compared().begin(), checker.compared().end());
}

/// The tensors that nobody looked at; those of a dtype whose column was not run are not meant.
std::vector<std::string> unchecked(const CaseFolder& folder, const std::set<std::string>& compared,
                                   const std::vector<core::Precision>& columns) {
  auto names = folder.untouched(compared);
  const bool ran_double = std::find(columns.begin(), columns.end(), core::Precision::kFp64) != columns.end();
  const bool ran_single = columns.size() > (ran_double ? 1U : 0U);
  std::erase_if(names, [&](const std::string& name) {
    const auto of = [&](const char* prefix) {
      return name.rfind(std::string("io/") + prefix, 0) == 0 || name.rfind(std::string("grads/") + prefix, 0) == 0;
    };
    return (!ran_double && of("f64.")) || (!ran_single && (of("f32.") || of("train_mode.")));
  });
  return names;
}

}  // namespace

std::span<const RegisteredCase> registeredCases() { return kCases; }

const RegisteredCase* findKind(std::string_view case_name) {
  const RegisteredCase* best = nullptr;
  for (const auto& entry : kCases) {
    if (entry.kind == case_name) return &entry;
    const bool continues = case_name.starts_with(entry.kind) && case_name[entry.kind.size()] == '_';
    if (continues && (!best || entry.kind.size() > best->kind.size())) best = &entry;
  }
  return best;
}

base::Result<core::Precision> columnFromName(const std::string& name) {
  if (name == "fp32") return core::Precision::kFp32;
  if (name == "fp64") return core::Precision::kFp64;
  if (name == "tf32") return core::Precision::kTf32;
  if (name == "bf16") return core::Precision::kBf16;
  return base::Error{"dtype '" + name + "' is unknown; use fp32, fp64, tf32 or bf16", base::ErrorKind::kUsage};
}

CaseReport verifyCase(const std::string& path, const VerifyOptions& options) {
  CaseReport report;
  report.path = path;
  try {
    auto folder = CaseFolder::open(path);
    if (!folder) {
      report.error = oneLine(folder.error().message);
      return report;
    }
    report.case_name = folder->name();
    const auto* kind = findKind(folder->name());
    if (!kind) {
      report.status = CaseStatus::kUnknown;
      report.error = "this build has no runner for a case of this kind";
      return report;
    }
    const auto columns = columnsOf(*folder, *kind, options);
    if (columns.empty()) {
      report.status = CaseStatus::kSkipped;
      report.error = "holds no tensors of the dtypes that were asked for";
      return report;
    }
    if (const auto loaded = folder->loadTensors(); !loaded) {
      report.error = oneLine(loaded.error().message);
      return report;
    }
    std::set<std::string> compared;
    for (const auto column : columns) {
      runColumn(*folder, kind->run, column, options.device, report, compared);
      if (!report.error.empty()) break;
    }
    if (report.error.empty()) report.unchecked = unchecked(*folder, compared, columns);
    report.conclude();
  } catch (const std::exception& error) {
    report.status = CaseStatus::kFail;
    report.error = oneLine(path + ": " + error.what());
  }
  return report;
}

}  // namespace meanflow::training
