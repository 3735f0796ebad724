// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/curve_marks.h"

#include "ui/models/curve_lines.h"
#include "ui/models/run_branch.h"

namespace meanflow::ui {

std::vector<CurveMark> curveMarks(const RunSource& source, const CurveOverlays& overlays,
                                  const std::vector<CurveLine>& lines) {
  std::vector<CurveMark> marks;
  for (const auto& mark : source.summary().milestones) {
    if (mark.kind == Milestone::Kind::kSamples) continue;
    const bool has_words = isAlarmMark(mark.kind) || mark.kind == Milestone::Kind::kBranched;
    for (const auto& line : lines) {
      if (line.run.isEmpty() && line.stage == mark.stage)
        marks.push_back({line.toX(static_cast<double>(mark.step)), mark.kind,
                         has_words ? QString::fromStdString(mark.text) : QString()});
    }
  }
  for (const auto& run : overlays.runs()) {
    const auto& branch = run->source->metrics().branch();
    if (!branch) continue;
    for (const auto& line : lines) {
      if (line.run == run->name && line.stage == branch->stage)
        marks.push_back({line.toX(static_cast<double>(branch->step)), Milestone::Kind::kBranched,
                         QStringLiteral("%1: %2").arg(run->name, branchLine(*branch))});
    }
  }
  return marks;
}

}  // namespace meanflow::ui
