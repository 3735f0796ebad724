// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QString>

#include "core/base/events/training_event.h"
#include "ui/models/report_history.h"

namespace meanflow::ui {

/// The comparisons of the finite difference with the exact derivative over the steps of every stage.
using DerivativeHistory = ReportHistory<base::DerivativeHealthReady>;

/// The error at `delta_t` in the precision in use, interpolated between the measured steps in the logarithm of both;
/// NaN outside of them.
double derivativeErrorAt(const base::DerivativeHealthReady& report, double delta_t);

/// What the comparison says, in words: how good delta_t in use is, what it suffers from and what would be better.
QString derivativeWords(const base::DerivativeHealthReady& report);

/// The same in a line: what to do, how far du/dt is off, and the step.
QString derivativeHeadline(const base::DerivativeHealthReady& report);

/// "δt = 0.005", as it is written everywhere.
QString deltaText(double delta_t);

}  // namespace meanflow::ui
