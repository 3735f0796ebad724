// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a branch of a run is made of, without a window.
#pragma once
#include <QString>
#include <QStringList>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/config/run_config.h"
#include "core/base/result.h"
#include "core/base/run/training_host.h"

namespace meanflow::ui {

/// Where a branch begins.
struct BranchStart {
  base::RunConfig config;                  ///< The parent's, as its config.yaml has it now.
  std::optional<std::int64_t> checkpoint;  ///< The newest at or before the step; nullopt: the stage's beginning.
};

/// Reads the parent. Errors: no run folder, a damaged config.yaml, a stage that the run does not have. Any thread.
base::Result<BranchStart> readBranchStart(const base::BranchPoint& at);

/// Whether a stage has steps that a branch can leave from.
bool canBranchFrom(const std::string& stage);

/// The settings that are changed most often when a run goes on differently from a step of `stage`, in the order of a
/// form.
QStringList branchSettings(const std::string& stage);

QString skipStepsKey(const std::string& stage);

/// How far it is from the checkpoint to the step, in a sentence.
QString branchWay(const base::BranchPoint& at, const std::optional<std::int64_t>& checkpoint);

/// "demo-teacher-300", with a number behind it while `folder` has something of that name.
QString proposedBranchName(const base::BranchPoint& at, const QString& folder);

/// KEY=VALUE for every setting in which `branch` differs from `parent`.
std::vector<std::string> branchOverrides(const base::RunConfig& parent, const base::RunConfig& branch);

}  // namespace meanflow::ui
