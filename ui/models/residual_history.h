// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QString>

#include "core/base/events/training_event.h"
#include "ui/models/report_history.h"

namespace meanflow::ui {

/// The residuals of Proposition 3.1 over the steps of every stage that reports them.
using ResidualHistory = ReportHistory<base::VelocityResidualsReady>;

/// What the residuals say, in words: which of them dominates at the eta in use, and how it would be at 0 and at 1.
QString residualWords(const base::VelocityResidualsReady& report);

/// The same in one line: what to do, and the largest of the residuals.
QString residualHeadline(const base::VelocityResidualsReady& report);

/// "η = 0.25", as it is written everywhere.
QString etaText(double eta);

}  // namespace meanflow::ui
