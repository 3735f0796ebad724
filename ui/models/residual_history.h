// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QString>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/base/events/training_event.h"

namespace meanflow::ui {

/// The residuals of Proposition 3.1 over the steps of every stage that reports them. Memory is bounded: when there are
/// kMaxReports of a stage, every second one goes, and of later ones as few are kept; the newest is always there.
class ResidualHistory {
 public:
  static constexpr std::size_t kMaxReports = 1024;

  /// Whether the event changed anything.
  bool apply(const base::TrainingEvent& event);
  bool empty() const { return stages_.empty(); }
  /// By step; empty for a stage that reports none.
  const std::vector<base::VelocityResidualsReady>& reports(const std::string& stage) const;
  /// The newest report at or before a step, or the first one; nullptr when there is none.
  const base::VelocityResidualsReady* at(const std::string& stage, std::int64_t step) const;

 private:
  struct Stage {
    std::vector<base::VelocityResidualsReady> reports;
    std::size_t stride = 1;     ///< One in so many is kept.
    std::size_t num_since = 0;  ///< Reports since the last one that is kept for good.
  };
  static void add(Stage& stage, const base::VelocityResidualsReady& report);
  std::map<std::string, Stage> stages_;
};

/// What the residuals say, in words: which of them dominates at the eta in use, and how it would be at 0 and at 1.
QString residualWords(const base::VelocityResidualsReady& report);

/// "η = 0.25", as it is written everywhere.
QString etaText(double eta);

}  // namespace meanflow::ui
