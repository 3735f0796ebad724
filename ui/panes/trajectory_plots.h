// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QColor>
#include <QRectF>
#include <QString>
#include <vector>

#include "core/base/events/training_event.h"

// The plots of a trajectory. Inside an ImGui frame only.
namespace meanflow::ui {

struct PaneColors;

/// One of the curves over t.
struct TrajectoryCurve {
  QString name, title;
  const std::vector<float>* values = nullptr;
  QColor color;
};

/// Where the data of a plot were drawn, and which knots the mouse is at; -1 for none. The plot is the last item then.
struct KnotAnswer {
  QRectF frame;
  int hovered = -1, picked = -1;
};

/// The path in its first two principal components with the student's jump from every knot.
KnotAnswer drawTrajectoryPath(const QRectF& area, const base::TrajectoryReady& entry, int knot,
                              const PaneColors& colors);
KnotAnswer drawTrajectoryCurve(const QRectF& area, const base::TrajectoryReady& entry, int knot,
                               const TrajectoryCurve& curve, const PaneColors& colors);

}  // namespace meanflow::ui
