// SPDX-License-Identifier: Apache-2.0
#include "training/verify/verify_run.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <optional>
#include <thread>

namespace meanflow::training {
namespace {

namespace fs = std::filesystem;

/// The reports as they are made, by the number of their folder.
class ReportQueue {
 public:
  explicit ReportQueue(std::size_t size) : reports_(size) {}
  void put(std::size_t index, CaseReport report) {
    const std::lock_guard lock(mutex_);
    reports_[index] = std::move(report);
    is_ready_.notify_one();
  }
  CaseReport take(std::size_t index) {
    std::unique_lock lock(mutex_);
    is_ready_.wait(lock, [&] { return reports_[index].has_value(); });
    auto report = std::move(*reports_[index]);
    reports_[index].emplace();
    return report;
  }

 private:
  std::mutex mutex_;
  std::condition_variable is_ready_;
  std::vector<std::optional<CaseReport>> reports_;
};

void count(CaseStatus status, VerifyTotals& totals) {
  switch (status) {
    case CaseStatus::kPass:
      ++totals.num_pass;
      break;
    case CaseStatus::kFail:
      ++totals.num_fail;
      break;
    case CaseStatus::kUnknown:
      ++totals.num_unknown;
      break;
    case CaseStatus::kSkipped:
      ++totals.num_skipped;
      break;
  }
}

}  // namespace

base::Result<std::vector<std::string>> findCases(const std::string& root) {
  std::error_code failed;
  if (!fs::is_directory(root, failed)) return base::Error{root + " is not a folder", base::ErrorKind::kUsage};
  std::vector<std::string> folders;
  const auto addIfCase = [&](const fs::path& folder) {
    std::error_code ignored;
    if (fs::exists(folder / "case.json", ignored)) folders.push_back(folder.string());
  };
  addIfCase(root);
  fs::recursive_directory_iterator at(root, fs::directory_options::skip_permission_denied, failed);
  while (!failed && at != fs::recursive_directory_iterator()) {
    if (std::error_code ignored; at->is_directory(ignored) && !at->is_symlink(ignored)) addIfCase(at->path());
    at.increment(failed);
  }
  if (failed) return base::Error{root + " cannot be searched: " + failed.message()};
  if (folders.empty()) return base::Error{root + " holds no case (a folder with a case.json)"};
  std::sort(folders.begin(), folders.end());
  return folders;
}

VerifyTotals verifyAll(const std::vector<std::string>& folders, const VerifyOptions& options, int num_threads,
                       const std::function<void(const CaseReport&)>& on_report) {
  ReportQueue queue(folders.size());
  std::atomic<std::size_t> next = 0;
  std::vector<std::jthread> workers;
  const auto work = [&] {
    for (auto index = next++; index < folders.size(); index = next++)
      queue.put(index, verifyCase(folders[index], options));
  };
  for (int i = 0; i < std::clamp(num_threads, 1, 64); ++i) workers.emplace_back(work);
  VerifyTotals totals;
  for (std::size_t index = 0; index < folders.size(); ++index) {
    const auto report = queue.take(index);
    count(report.status, totals);
    on_report(report);
  }
  return totals;
}

}  // namespace meanflow::training
