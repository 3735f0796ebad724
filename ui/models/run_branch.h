// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QString>

#include "core/base/events/training_event.h"

namespace meanflow::ui {

/// The folder of the run that the one in `folder` left, absolute.
QString parentFolder(const QString& folder, const base::RunBranched& branch);
/// "branch of X at MeanFlow step 100", X being the name of the parent's folder.
QString branchPlace(const base::RunBranched& branch);
/// The same with what was changed: "...: mean_flow.eta: 0 → 1".
QString branchLine(const base::RunBranched& branch);

}  // namespace meanflow::ui
