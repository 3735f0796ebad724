// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QPointF>
#include <QRectF>

#include "core/base/image.h"
#include "ui/panes/sample_grid_list.h"

// What is drawn around and over a picture of samples. Inside an ImGui frame only.
namespace meanflow::ui {

struct PaneColors;
struct ViewTransform;

/// The classes of the rows in a column at their left, `cell_height` widget pixels a row, moved down by `pan_y`.
void drawRowLabels(const SampleGridEntry& entry, const QRectF& column, double cell_height, double pan_y,
                   const PaneColors& colors);
/// Frames the cell, and zoomed in the pixel, at a point of the picture, and says in a tooltip what is there. `area` is
/// where the view lies, `clip` the part of it that is the picture's own.
void drawCellHover(const SampleGridEntry& entry, const base::Image8& image, const ViewTransform& view,
                   const QRectF& area, const QRectF& clip, const QPointF& point, const PaneColors& colors);

/// The line between two pictures under a wipe, at `share` of the width, and a person's dragging it. Returns its grip.
QRectF drawWipeHandle(const QRectF& area, double& share, bool& is_dragging, const PaneColors& colors);

}  // namespace meanflow::ui
