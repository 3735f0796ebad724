// SPDX-License-Identifier: Apache-2.0
//
// Events of a run that never happened, plausible enough to look at.
#pragma once
#include <QDir>
#include <string>
#include <vector>

#include "core/base/events/training_event.h"

namespace meanflow::testing {

struct MadeUpRunOptions {
  int num_stages = 5;          ///< How many of the five stages are reached.
  double share_of_last = 0.6;  ///< How far the last of them has come.
  bool is_finished = false;
  bool has_samples = true;
  base::RunState state = base::RunState::kRunning;
};

/// A grid of coloured discs that become clearer with `share` from 0 to 1; one row a class.
std::shared_ptr<const base::Image8> madeUpGrid(int rows, int columns, double share);

std::vector<base::EventRecord> madeUpRun(const MadeUpRunOptions& options = {});

/// Writes events as the run folder's events.jsonl (appending), with a config.yaml beside it.
void writeRunFolder(const QString& folder, const std::vector<base::EventRecord>& records);

}  // namespace meanflow::testing
