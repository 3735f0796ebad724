// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QString>
#include <optional>

#include "core/base/run/cost_estimate.h"
#include "ui/models/curve_lines.h"

namespace meanflow::ui {

/// What the stage or run on show is expected to take, where the x axis counts device-hours and somebody knows.
std::optional<double> estimatedCurveHours(const base::CostEstimate& estimate, const CurveView& view,
                                          const RunSource& source);

/// What the x axis counts, in words; with the estimate beside device-hours, or why there is none.
QString curveAxisLabel(const base::CostEstimate& estimate, const CurveView& view, const RunSource& source);

}  // namespace meanflow::ui
