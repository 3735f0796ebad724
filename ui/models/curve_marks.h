// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QString>
#include <vector>

#include "ui/models/run_summary.h"

namespace meanflow::ui {

class CurveOverlays;
struct CurveLine;
class RunSource;

/// A sign below the curves; `tip` is said under the pointer.
struct CurveMark {
  double x = 0;
  Milestone::Kind kind = Milestone::Kind::kCheckpoint;
  QString tip;
};

/// What happened in the run on show where its lines are, and where the runs laid over it left their parents.
std::vector<CurveMark> curveMarks(const RunSource& source, const CurveOverlays& overlays,
                                  const std::vector<CurveLine>& lines);

}  // namespace meanflow::ui
