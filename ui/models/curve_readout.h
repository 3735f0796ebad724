// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QString>
#include <QStringList>
#include <vector>

#include "ui/models/curve_lines.h"

namespace meanflow::ui {

/// The value of a raw point, or the extremes of the points that were folded into it.
QString curveValueText(const CurvePoint& point);

/// What the curves of the run on show are at a place of the x axis, in words; of the line `only` where it is given.
/// Empty where there is nothing.
QString curveReadOut(const std::vector<CurveLine>& lines, const QStringList& scalars, const CurveLine* only, double x);

/// A line's name in the legend: its stage, or its run, with the stage unless there is but one on show; a branch says
/// whose it is.
QString curveLineName(const CurveLine& line, bool has_one_stage);

}  // namespace meanflow::ui
