// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <span>
#include <string_view>
#include <vector>

#include "training/verify/case_report.h"

namespace meanflow::training {

/// Recomputes a case with the product's own classes and reports the comparisons. May throw; verifyCase catches.
using CaseRunner = void (*)(const CaseFolder& folder, CaseChecker& checker);

struct RegisteredCase {
  std::string_view kind;
  CaseRunner run;
  bool is_host_arithmetic =
      false;  ///< Nothing a column changes (times, schedules, optimiser state): float32 and float64 as always.
};

/// Every kind of case this build can check: the one table (verify_case.cpp).
std::span<const RegisteredCase> registeredCases();

/// The entry for a case's name: the kind of that name, else the longest kind that the name continues after an
/// underscore ("optim" for "optim_wd0.0_clip1.0"); null when there is none.
const RegisteredCase* findKind(std::string_view case_name);

struct VerifyOptions {
  torch::Device device = torch::kCPU;
  /// Columns to run, each where the case has it: kFp64 where it holds float64 tensors, the others where it holds
  /// float32 ones.
  std::vector<core::Precision> columns = {core::Precision::kFp32, core::Precision::kFp64};
};
/// "fp32", "fp64", "tf32", "bf16". An error names them.
base::Result<core::Precision> columnFromName(const std::string& name);

/// Runs the case in folder `path`. Never throws: what went wrong is in the report's `error`.
CaseReport verifyCase(const std::string& path, const VerifyOptions& options = {});

}  // namespace meanflow::training
