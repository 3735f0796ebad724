// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "training/verify/verify_case.h"

namespace meanflow::training {

/// Folders below `root` (itself included) that hold a case.json, sorted by path. Links to folders are not followed. The
/// error says when there is no such folder, or none with a case.
base::Result<std::vector<std::string>> findCases(const std::string& root);

struct VerifyTotals {
  std::int64_t num_pass = 0, num_fail = 0, num_unknown = 0, num_skipped = 0;
};

/// Runs the cases on `num_threads` threads and hands the reports to `on_report` in the order of `folders`, each as soon
/// as it and those before it are done. on_report is called from this thread.
VerifyTotals verifyAll(const std::vector<std::string>& folders, const VerifyOptions& options, int num_threads,
                       const std::function<void(const CaseReport&)>& on_report);

}  // namespace meanflow::training
