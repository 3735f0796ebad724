// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/base/events/training_event.h"

namespace meanflow::ui {

/// One kind of report over the steps of every stage that gives it. Memory is bounded: when there are kMaxReports of a
/// stage, every second one goes, and of later ones as few are kept; the newest is always there.
template <class Report>
class ReportHistory {
 public:
  static constexpr std::size_t kMaxReports = 1024;

  /// Whether the event changed anything.
  bool apply(const base::TrainingEvent& event) {
    if (const auto* report = std::get_if<Report>(&event)) {
      add(stages_[report->stage], *report);
      return true;
    }
    if (const auto* started = std::get_if<base::StageStarted>(&event)) {
      const auto stage = stages_.find(started->stage);
      if (stage == stages_.end()) return false;
      return std::erase_if(stage->second.reports, [&](const auto& each) { return each.step > started->step; }) > 0;
    }
    return false;
  }
  bool empty() const { return stages_.empty(); }
  /// By step; empty for a stage that gives none.
  const std::vector<Report>& reports(const std::string& stage) const {
    static const std::vector<Report> kNone;
    const auto at = stages_.find(stage);
    return at == stages_.end() ? kNone : at->second.reports;
  }
  /// The newest report at or before a step, or the first one; nullptr when there is none.
  const Report* at(const std::string& stage, std::int64_t step) const {
    const auto& all = reports(stage);
    if (all.empty()) return nullptr;
    const auto after =
        std::upper_bound(all.begin(), all.end(), step, [](std::int64_t s, const auto& each) { return s < each.step; });
    return after == all.begin() ? &all.front() : &*(after - 1);
  }
  /// The stage itself where it gives reports, otherwise the first of `others` that does; empty for none.
  std::string stageWithReports(const std::string& stage, const std::vector<std::string>& others) const {
    if (!reports(stage).empty()) return stage;
    const auto found =
        std::find_if(others.begin(), others.end(), [this](const auto& each) { return !reports(each).empty(); });
    return found == others.end() ? std::string() : *found;
  }

 private:
  struct Stage {
    std::vector<Report> reports;
    std::size_t stride = 1;     ///< One in so many is kept.
    std::size_t num_since = 0;  ///< Reports since the last one that is kept for good.
  };
  static void add(Stage& stage, const Report& report) {
    std::erase_if(stage.reports, [&](const auto& each) { return each.step >= report.step; });
    // The last one stays for good if it is the stride-th since the one before that does; otherwise it was there as the
    // newest only.
    if (!stage.reports.empty() && stage.stride > 1 && stage.num_since % stage.stride != 0) stage.reports.pop_back();
    ++stage.num_since;
    stage.reports.push_back(report);
    if (stage.reports.size() < kMaxReports) return;
    std::size_t kept = 0;
    for (std::size_t i = 1; i < stage.reports.size(); i += 2) stage.reports[kept++] = std::move(stage.reports[i]);
    stage.reports.resize(kept);
    stage.stride *= 2;
    stage.num_since = 0;
  }
  std::map<std::string, Stage> stages_;
};

}  // namespace meanflow::ui
