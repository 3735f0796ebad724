// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <atomic>
#include <memory>

#include "core/evaluation/judge.h"
#include "training/report/figures.h"
#include "training/stages/workspace.h"

namespace meanflow::training {

/// What the workers share while they score a run together: work is handed out piece by piece, because the judge and a
/// teacher's samples cost very different amounts.
struct ScoringBoard {
  std::atomic<std::int64_t> next_piece{0};
  std::atomic<std::int64_t> num_done{0};
  std::atomic<bool> is_stopped{false}, is_discarded{false};
  std::shared_ptr<core::Judge> judge;  ///< Set by the worker that trains it.
};

/// Whether report/ already holds the scores of the newest checkpoints under the present data and evaluation settings.
bool isScored(const base::RunConfig& config, const base::RunFolder& folder);

/// The report stage: trains the judge, makes the samples of every row, scores them, writes report/report.{json,md,txt}
/// and the grids. All ranks call it together. Throws RunInterrupted when a command stops the run (scoring starts over
/// next time).
void scoreRun(Workspace& workspace, ScoringBoard& board);

}  // namespace meanflow::training
