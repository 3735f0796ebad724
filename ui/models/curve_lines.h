// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QString>
#include <optional>
#include <string>
#include <vector>

#include "ui/models/curve_data.h"
#include "ui/models/curve_overlays.h"
#include "ui/models/run_source.h"
#include "ui/models/step_scale.h"

namespace meanflow::ui {

/// What the x axis spans.
enum class CurveSpan { kCurrentStage, kWholeRun, kStagesOverlaid, kOneStage };

/// What a person wants to see of a run's curves, and where the step cursor is.
struct CurveView {
  CurveSpan span = CurveSpan::kCurrentStage;
  CurveAxis axis = CurveAxis::kStep;
  std::string one_stage;
  double images_an_epoch = 0;  ///< 0: not known.
  StepCursor cursor;
  bool is_live = true;
};

/// One curve of every chart: a stage of a run, and where its steps lie on the x axis.
struct CurveLine {
  QString run;     ///< Name of an overlaid run; empty: the run on show.
  QString branch;  ///< Which run it left where, of a run that is a branch.
  std::string stage;
  CurveData* data = nullptr;
  StepScale scale;
  double offset = 0;  ///< Of the stage's beginning on the x axis.
  int colour = 0;
  double toX(double step) const { return offset + scale.toX(stage, step); }
  double toStep(double x) const { return scale.toStep(stage, x - offset); }
};

/// The stage that "current" means now; empty before the first.
std::string currentCurveStage(const RunSource& source, const CurveView& view);
std::vector<std::string> shownCurveStages(const RunSource& source, const CurveData& data, const CurveView& view);
/// Those of the run on show first, then those of the runs laid over it.
std::vector<CurveLine> curveLines(RunSource& source, CurveData& data, const CurveOverlays& overlays,
                                  const CurveView& view);
/// The line of the run on show that a place belongs to where stages lie end to end; null for none.
const CurveLine* curveLineAt(const std::vector<CurveLine>& lines, double x);
double endOfCurves(const std::vector<CurveLine>& lines);    ///< 0 without points.
double beginOfCurves(const std::vector<CurveLine>& lines);  ///< The first place beyond 0, for logarithmic axes.

}  // namespace meanflow::ui
