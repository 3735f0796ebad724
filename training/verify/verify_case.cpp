// SPDX-License-Identifier: Apache-2.0
#include "training/verify/verify_case.h"

#include "training/verify/checkpoint_cases.h"
#include "training/verify/flow_cases.h"
#include "training/verify/latent_cases.h"
#include "training/verify/model_cases.h"
#include "training/verify/objective_cases.h"
#include "training/verify/optim_cases.h"

namespace meanflow::training {
namespace {

constexpr RegisteredCase kCases[] = {
    {"ddt_dh", runDdt},
    {"ddt_dh_same_width", runDdt},
    {"ddt_dh_qknorm_mlp_ln", runDdt},
    {"ddt_dh_qknorm_rms_nopos", runDdt},
    {"ddt_dh_given_s", runDdt},
    {"ddt_dh_patch2_repaired", runDdt},
    {"lightningdit_p1", runLightningDit},
    {"lightningdit_p2", runLightningDit},
    {"lightningdit", runLightningDit},
    {"mf_student", runStudent},
    {"time_samplers", runTimeSamplers},
    {"samplers_mf", runMeanFlowSamplers},
    {"samplers_ode", runOdeSamplers},
    {"fm_loss", runFlowMatchingLoss},
    {"cmt", runConsistencyMidTraining},
    {"mfd_loss", runMeanFlowLoss},
    {"mft_loss", runMeanFlowLoss},
    {"lr_schedules", runLrSchedules},
    {"optim", runOptimizer},
    {"train_fm", runTraining},
    {"train_cmt", runTraining},
    {"train_mfd", runTraining},
    {"train_mft", runTraining},
    {"latent_stats", runLatentStatistics},
    {"checkpoints_pt", runCheckpoints},
};

}  // namespace

std::span<const RegisteredCase> registeredCases() { return kCases; }

CaseRunner findRunner(std::string_view case_name) {
  CaseRunner best = nullptr;
  std::size_t best_length = 0;
  for (const auto& entry : kCases) {
    if (entry.kind == case_name) return entry.run;
    const bool continues = case_name.starts_with(entry.kind) && case_name[entry.kind.size()] == '_';
    if (continues && entry.kind.size() > best_length) {
      best = entry.run;
      best_length = entry.kind.size();
    }
  }
  return best;
}

CaseReport verifyCase(const std::string& path) {
  CaseReport report{.case_name = {}, .path = path, .comparisons = {}, .unchecked = {}, .error = {}};
  try {
    const auto folder = openCase(path);
    if (!folder) {
      report.error = folder.error().message;
      return report;
    }
    report.case_name = folder->name;
    const auto run = findRunner(folder->name);
    if (!run) {
      report.error = "no runner for case '" + folder->name + "'";
      return report;
    }
    CaseChecker checker(*folder);
    run(*folder, checker);
    return checker.finish();
  } catch (const c10::Error& error) {
    report.error = error.what_without_backtrace();
  } catch (const std::exception& error) {
    report.error = error.what();
  }
  return report;
}

}  // namespace meanflow::training
