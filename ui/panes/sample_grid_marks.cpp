// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panes/sample_grid_marks.h"

#include <imgui.h>

#include <algorithm>
#include <cmath>

#include "ui/panes/pane_controls.h"
#include "ui/panes/sample_grid_pane.h"
#include "ui/panes/view_transform.h"

namespace meanflow::ui {

void drawRowLabels(const SampleGridEntry& entry, const QRectF& column, double cell_height, double pan_y,
                   const PaneColors& colors) {
  ImDrawList& list = *ImGui::GetWindowDrawList();
  const double line = ImGui::GetFontSize();
  if (entry.rows <= 0 || cell_height <= 0) return;
  const int stride =
      std::max(1, static_cast<int>(std::ceil(line / cell_height)));  // where rows are thinner than a line
  const double top = column.top() + pan_y;
  int first = std::max(0, static_cast<int>(std::floor((column.top() - top) / cell_height)));
  first -= first % stride;
  list.PushClipRect(toVec2(column.topLeft()), toVec2(column.bottomRight()), true);
  for (int row = first; row < entry.rows; row += stride) {
    const double row_top = std::max(top + row * cell_height, column.top());
    const double row_bottom = std::min(top + (row + 1) * cell_height, column.bottom());
    if (top + row * cell_height >= column.bottom()) break;
    if (row_bottom <= row_top) continue;
    const QString text = elided(rowLabel(entry, row), column.width() - 6);
    // In the middle of what is seen of the row.
    drawText(list, QPointF(column.right() - 6, (row_top + row_bottom) / 2), colors.text, text, {1, 0.5});
  }
  list.PopClipRect();
}

void drawCellHover(const SampleGridEntry& entry, const base::Image8& image, const ViewTransform& view,
                   const QRectF& area, const QRectF& clip, const QPointF& point, const PaneColors& colors) {
  if (!QRectF(0, 0, image.width, image.height).contains(point) || entry.rows <= 0 || entry.columns <= 0) return;
  const double cell_width = static_cast<double>(image.width) / entry.columns;
  const double cell_height = static_cast<double>(image.height) / entry.rows;
  const int column = std::min(entry.columns - 1, static_cast<int>(point.x() / cell_width));
  const int row = std::min(entry.rows - 1, static_cast<int>(point.y() / cell_height));
  const int x = std::min(image.width - 1, static_cast<int>(point.x()));
  const int y = std::min(image.height - 1, static_cast<int>(point.y()));

  ImDrawList& list = *ImGui::GetWindowDrawList();
  list.PushClipRect(toVec2(clip.topLeft()), toVec2(clip.bottomRight()), true);
  const auto outline = [&](const QRectF& in_image, const QColor& color) {
    const QPointF low = view.toWidget(in_image.topLeft(), area);
    const QPointF high = view.toWidget(in_image.bottomRight(), area);
    list.AddRect(toVec2(low), toVec2(high), toU32(color), 0, 0, 1);
  };
  outline({column * cell_width, row * cell_height, cell_width, cell_height}, colors.accent);
  constexpr double kPixelZoom = 8;
  if (view.zoom >= kPixelZoom) outline(QRectF(x, y, 1, 1), colors.accent);
  list.PopClipRect();

  const std::uint8_t* rgb = image.at(x, y);
  const QColor color(rgb[0], rgb[1], rgb[2]);
  ImGui::BeginTooltip();
  textLine(SampleGridPane::tr("%1, column %2").arg(rowLabel(entry, row)).arg(column));
  const ImVec2 at = ImGui::GetCursorScreenPos();
  const float side = ImGui::GetFontSize();
  ImGui::GetWindowDrawList()->AddRectFilled(at, ImVec2(at.x + side, at.y + side), toU32(color));
  ImGui::GetWindowDrawList()->AddRect(at, ImVec2(at.x + side, at.y + side), toU32(colors.border));
  ImGui::Dummy(ImVec2(side, side));
  ImGui::SameLine();
  textLine(SampleGridPane::tr("pixel (%1, %2)  rgb %3 %4 %5")
               .arg(x - static_cast<int>(column * cell_width))
               .arg(y - static_cast<int>(row * cell_height))
               .arg(color.red())
               .arg(color.green())
               .arg(color.blue()));
  ImGui::EndTooltip();
}

QRectF drawWipeHandle(const QRectF& area, double& share, bool& is_dragging, const PaneColors& colors) {
  const ImGuiIO& io = ImGui::GetIO();
  const double x = area.left() + share * area.width();
  constexpr double kGrip = 6;
  const bool is_near =
      QRectF(x - kGrip, area.top(), 2 * kGrip, area.height()).contains(QPointF(io.MousePos.x, io.MousePos.y));
  const bool is_pane_hovered = ImGui::IsWindowHovered(ImGuiHoveredFlags_AllowWhenBlockedByActiveItem);
  if (is_near && is_pane_hovered && ImGui::IsMouseClicked(ImGuiMouseButton_Left)) is_dragging = true;
  if (!ImGui::IsMouseDown(ImGuiMouseButton_Left)) is_dragging = false;
  if (is_dragging) {
    share = std::clamp((io.MousePos.x - area.left()) / area.width(), 0.0, 1.0);
  }
  if (is_dragging || (is_near && is_pane_hovered)) ImGui::SetMouseCursor(ImGuiMouseCursor_ResizeEW);
  ImDrawList& list = *ImGui::GetWindowDrawList();
  const double line_x = std::round(area.left() + share * area.width());
  list.AddLine(toVec2({line_x, area.top()}), toVec2({line_x, area.bottom()}), toU32(colors.window), 4);
  list.AddLine(toVec2({line_x, area.top()}), toVec2({line_x, area.bottom()}), toU32(colors.accent), 2);
  const QPointF knob(line_x, area.center().y());
  list.AddCircleFilled(toVec2(knob), 7, toU32(colors.accent));
  list.AddCircle(toVec2(knob), 7, toU32(colors.window));
  return {line_x - kGrip, area.top(), 2 * kGrip, area.height()};
}

}  // namespace meanflow::ui
