// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/base/events/training_event.h"
#include "core/base/metrics/metrics_store.h"

namespace meanflow::base {

/// The health of a run as its events tell it: alarms with what was found, and the newest measurements of each stage.
class HealthReport {
 public:
  void apply(const EventRecord& record);

  std::string text() const;  ///< For a terminal.
  nlohmann::ordered_json json() const;

 private:
  struct Stage {
    std::optional<BlockFiguresReady> blocks;
    std::optional<TimeFiguresReady> over_time;
    std::optional<VelocityResidualsReady> residuals;
    std::optional<DerivativeHealthReady> derivative;
    std::optional<CmtMatrixReady> jumps;  ///< Against the fine solution.
  };
  std::string stageText(const std::string& name, const Stage& stage) const;

  MetricsStore store_;
  std::map<std::string, Stage> stages_;
};

}  // namespace meanflow::base
