// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <span>
#include <string_view>

#include "training/verify/case_report.h"

namespace meanflow::training {

/// Recomputes a case with the product's own classes and reports the comparisons. May throw; verifyCase catches.
using CaseRunner = void (*)(const CaseFolder& folder, CaseChecker& checker);

struct RegisteredCase {
  std::string_view kind;
  CaseRunner run;
};

/// Every kind of case this build can check: the one table (verify_case.cpp).
std::span<const RegisteredCase> registeredCases();

/// The runner for a case's name: the kind of that name, else the longest kind that the name continues after an
/// underscore ("optim" for "optim_wd0.0_clip1.0"); null when there is none.
CaseRunner findRunner(std::string_view case_name);

/// Runs the case in folder `path`. Never throws: what went wrong is in the report's `error`.
CaseReport verifyCase(const std::string& path);

}  // namespace meanflow::training
