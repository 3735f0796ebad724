// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/config/branch_plan.h"

#include <QCoreApplication>
#include <QFileInfo>
#include <algorithm>
#include <array>
#include <string_view>

#include "core/base/config/config_io.h"
#include "core/base/run/run_folder.h"
#include "ui/config/start_bar.h"
#include "ui/theme/format.h"

namespace meanflow::ui {
namespace {

constexpr std::array<std::string_view, 6> kStagesWithSteps = {"encoder", "decoder",   "teacher",
                                                              "cmt",     "mean_flow", "control"};

QString planText(const char* text) { return QCoreApplication::translate("BranchPlan", text); }

/// Where the settings of a stage's training are: the control shares those of CMT.
QString trainingKey(const std::string& stage) {
  return QStringLiteral("%1.training.").arg(QString::fromStdString(stage == "control" ? "cmt" : stage));
}

}  // namespace

base::Result<BranchStart> readBranchStart(const base::BranchPoint& at) {
  const auto folder = base::RunFolder::open(at.parent);
  if (!folder.ok()) return folder.error();
  auto config = folder->readConfig();
  if (!config.ok()) return config.error();
  if (std::find(config->stages.begin(), config->stages.end(), at.stage) == config->stages.end() ||
      !canBranchFrom(at.stage))
    return base::Error{folder->root().string() + " has no stage " + at.stage + " that steps can be branched from",
                       base::ErrorKind::kUsage};
  BranchStart start{std::move(*config), {}};
  for (const auto& entry : folder->listCheckpoints(at.stage))
    if (entry.step <= at.step) start.checkpoint = entry.step;
  return start;
}

bool canBranchFrom(const std::string& stage) {
  return std::find(kStagesWithSteps.begin(), kStagesWithSteps.end(), stage) != kStagesWithSteps.end();
}

QString skipStepsKey(const std::string& stage) { return trainingKey(stage) + QStringLiteral("skip_steps"); }

QStringList branchSettings(const std::string& stage) {
  const QString training = trainingKey(stage);
  QStringList keys = {stage == "control" ? QStringLiteral("cmt.control_lr") : training + QStringLiteral("lr"),
                      training + QStringLiteral("clip_grad"), skipStepsKey(stage)};
  if (stage == "teacher" || stage == "mean_flow") keys << QStringLiteral("data.skip_samples");
  if (stage == "mean_flow")
    keys << QStringLiteral("mean_flow.delta_t") << QStringLiteral("mean_flow.velocity")
         << QStringLiteral("mean_flow.eta");
  return keys << QStringLiteral("precision") << QStringLiteral("diagnostics.on_divergence");
}

QString branchWay(const base::BranchPoint& at, const std::optional<std::int64_t>& checkpoint) {
  const auto steps = [](std::int64_t count) {
    return count == 1 ? planText("1 step is trained again as the run did")
                      : planText("%1 steps are trained again as the run did").arg(formatCount(count));
  };
  if (checkpoint && *checkpoint == at.step)
    return planText("It starts from the checkpoint of step %1; nothing is trained again.").arg(formatCount(at.step));
  if (checkpoint)
    return planText("It starts from the checkpoint of step %1; %2.")
        .arg(formatCount(*checkpoint), steps(at.step - *checkpoint));
  if (at.step == 0) return planText("It starts at the beginning of the stage.");
  return planText("The stage has no checkpoint at or before this step. It starts at the beginning; %1.")
      .arg(steps(at.step));
}

QString proposedBranchName(const base::BranchPoint& at, const QString& folder) {
  return freeRunName(folder,
                     QStringLiteral("%1-%2-%3")
                         .arg(QFileInfo(QString::fromStdString(at.parent)).fileName(), QString::fromStdString(at.stage))
                         .arg(at.step));
}

std::vector<std::string> branchOverrides(const base::RunConfig& parent, const base::RunConfig& branch) {
  std::vector<std::string> overrides;
  for (const auto& change : base::difference(parent, branch)) overrides.push_back(change.key + "=" + change.b);
  return overrides;
}

}  // namespace meanflow::ui
