// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panes/trajectory_plots.h"

#include <imgui.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "ui/panes/pane_controls.h"
#include "ui/panes/trajectory_pane.h"

namespace meanflow::ui {
namespace {

struct Bounds {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  void add(double value) {
    if (!std::isfinite(value)) return;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  bool isEmpty() const { return !(low <= high); }
};

}  // namespace

KnotAnswer drawTrajectoryPath(const QRectF& area, const base::TrajectoryReady& entry, int knot,
                              const PaneColors& colors) {
  ImDrawList& list = *ImGui::GetWindowDrawList();
  const double line = ImGui::GetFontSize();
  drawText(list, area.topLeft(), colors.text,
           elided(TrajectoryPane::tr("Path in its first two principal components"), area.width()));
  const QRectF frame = area.adjusted(0, line + 4, 0, -line - 4);
  KnotAnswer answer{.frame = frame};
  if (frame.width() < 6 * line || frame.height() < 6 * line) return answer;
  list.AddRectFilled(toVec2(frame.topLeft()), toVec2(frame.bottomRight()), toU32(colors.plot), 3);
  list.AddRect(toVec2(frame.topLeft()), toVec2(frame.bottomRight()), toU32(colors.border), 3);
  const std::size_t count = std::min({entry.pca_x.size(), entry.pca_y.size(), entry.times.size()});
  const std::size_t num_jumps = std::min({count, entry.jump_x.size(), entry.jump_y.size()});
  if (count == 0) {
    drawNotice(frame, colors, TrajectoryPane::tr("No path"),
               TrajectoryPane::tr("This trajectory was saved without its projection."));
    return answer;
  }
  Bounds x;
  Bounds y;
  for (std::size_t i = 0; i < count; ++i) {
    x.add(entry.pca_x[i]);
    y.add(entry.pca_y[i]);
  }
  for (std::size_t i = 0; i < num_jumps; ++i) {
    x.add(entry.jump_x[i]);
    y.add(entry.jump_y[i]);
  }
  if (x.isEmpty() || y.isEmpty()) return answer;
  // Equal scales on both axes: the shape of the path is the point.
  const double margin = 2.2 * line;  // the names of the ends go there
  const QRectF room = frame.adjusted(margin, margin, -margin, -margin);
  const double scale =
      std::min(room.width() / std::max(x.high - x.low, 1e-9), room.height() / std::max(y.high - y.low, 1e-9));
  const QPointF centre((x.low + x.high) / 2, (y.low + y.high) / 2);
  const auto place = [&](double px, double py) {
    return QPointF(room.center().x() + (px - centre.x()) * scale, room.center().y() - (py - centre.y()) * scale);
  };
  const auto knotAt = [&](std::size_t i) { return place(entry.pca_x[i], entry.pca_y[i]); };
  const auto landingAt = [&](std::size_t i) { return place(entry.jump_x[i], entry.jump_y[i]); };
  const auto current = static_cast<std::size_t>(knot);

  list.PushClipRect(toVec2(frame.topLeft()), toVec2(frame.bottomRight()), true);
  const QColor jump_color = colors.warning;
  for (std::size_t i = 0; i < num_jumps; ++i) {
    if (i == current) continue;
    list.AddLine(toVec2(knotAt(i)), toVec2(landingAt(i)), toU32(jump_color, 0.22), 1);
    list.AddCircleFilled(toVec2(landingAt(i)), 2, toU32(jump_color, 0.55));
  }
  for (std::size_t i = 0; i + 1 < count; ++i) {
    list.AddLine(toVec2(knotAt(i)), toVec2(knotAt(i + 1)), toU32(colors.accent), 2);
  }
  for (std::size_t i = 0; i < count; ++i) list.AddCircleFilled(toVec2(knotAt(i)), 2.5F, toU32(colors.accent));
  if (current < num_jumps) {
    list.AddLine(toVec2(knotAt(current)), toVec2(landingAt(current)), toU32(jump_color), 2);
    const QPointF at = landingAt(current);
    list.AddLine(toVec2(at - QPointF(5, 5)), toVec2(at + QPointF(5, 5)), toU32(jump_color), 2);
    list.AddLine(toVec2(at - QPointF(5, -5)), toVec2(at + QPointF(5, -5)), toU32(jump_color), 2);
  }
  if (current < count) {
    list.AddCircleFilled(toVec2(knotAt(current)), 5, toU32(colors.accent));
    list.AddCircle(toVec2(knotAt(current)), 6.5F, toU32(colors.text), 0, 1.5F);
  }
  // Ends are named beyond the end, where the path is not.
  const auto name = [&](std::size_t i, std::size_t neighbour, const QString& text) {
    const QPointF at = knotAt(i);
    const QPointF way = at - knotAt(neighbour);
    const double length = std::max(1e-9, std::hypot(way.x(), way.y()));
    const QSizeF size = textSize(text);
    QPointF centre_at =
        at + way / length * 12 + QPointF(way.x() / length * size.width() / 2, way.y() / length * line / 2);
    const double room_x = frame.width() / 2 - size.width() / 2 - 4;
    const double room_y = frame.height() / 2 - line / 2 - 2;
    centre_at.setX(frame.center().x() +
                   std::clamp(centre_at.x() - frame.center().x(), -room_x, std::max(-room_x, room_x)));
    centre_at.setY(frame.center().y() +
                   std::clamp(centre_at.y() - frame.center().y(), -room_y, std::max(-room_y, room_y)));
    drawText(list, centre_at, colors.muted, text, {0.5, 0.5});
  };
  if (count > 1) name(0, 1, TrajectoryPane::tr("noise"));
  if (count > 1) name(count - 1, count - 2, TrajectoryPane::tr("image"));
  list.PopClipRect();

  // Legend under the plot.
  double left = frame.left();
  const double legend_y = frame.bottom() + 3 + line / 2;
  const auto legend = [&](const QColor& color, const QString& text) {
    if (left + 24 + textSize(text).width() > frame.right()) return;
    list.AddLine(toVec2({left, legend_y}), toVec2({left + 16, legend_y}), toU32(color), 2);
    drawText(list, {left + 20, legend_y}, colors.muted, text, {0, 0.5});
    left += 32 + textSize(text).width();
  };
  legend(colors.accent, TrajectoryPane::tr("teacher"));
  if (num_jumps > 0) legend(jump_color, TrajectoryPane::tr("student's jumps"));

  ImGui::SetCursorScreenPos(toVec2(frame.topLeft()));
  ImGui::InvisibleButton("path", toVec2(QPointF(frame.width(), frame.height())));
  if (!ImGui::IsItemHovered()) return answer;
  const QPointF mouse(ImGui::GetIO().MousePos.x, ImGui::GetIO().MousePos.y);
  int nearest = -1;
  double nearest_distance = 14;
  for (std::size_t i = 0; i < count; ++i) {
    const QPointF way = knotAt(i) - mouse;
    if (const double distance = std::hypot(way.x(), way.y()); distance < nearest_distance) {
      nearest = static_cast<int>(i);
      nearest_distance = distance;
    }
  }
  if (nearest < 0) return answer;
  ImGui::SetMouseCursor(ImGuiMouseCursor_Hand);
  answer.hovered = nearest;
  if (ImGui::IsMouseClicked(ImGuiMouseButton_Left)) answer.picked = nearest;
  return answer;
}

KnotAnswer drawTrajectoryCurve(const QRectF& area, const base::TrajectoryReady& entry, int knot,
                               const TrajectoryCurve& curve, const PaneColors& colors) {
  ImDrawList& list = *ImGui::GetWindowDrawList();
  const std::size_t count = std::min(curve.values->size(), entry.times.size());
  Bounds range;
  range.add(0);
  for (std::size_t i = 0; i < count; ++i) range.add((*curve.values)[i]);
  const double high = count == 0 || range.high <= 0 ? 1 : range.high;
  const PlotFrame frame = drawPlotFrame(list, area, colors, curve.title, 0, high, entry.times.front(),
                                        entry.times.back(), TrajectoryPane::tr("t"), false);
  KnotAnswer answer{.frame = frame.area};
  if (frame.area.width() < 8 || frame.area.height() < 8) return answer;
  if (count == 0) {
    drawText(list, frame.area.center(), colors.muted,
             elided(TrajectoryPane::tr("not measured at this step"), frame.area.width() - 8), {0.5, 0.5});
    return answer;
  }
  list.PushClipRect(toVec2(frame.area.topLeft()), toVec2(frame.area.bottomRight()), true);
  std::optional<QPointF> before;
  for (std::size_t i = 0; i < count; ++i) {
    const double value = (*curve.values)[i];
    if (!std::isfinite(value)) {
      before.reset();
      continue;
    }
    const QPointF at = frame.at(entry.times[i], value);
    if (before) list.AddLine(toVec2(*before), toVec2(at), toU32(curve.color), 2);
    list.AddCircleFilled(toVec2(at), 2, toU32(curve.color));
    before = at;
  }
  const double cursor_x = frame.at(entry.times[static_cast<std::size_t>(knot)], 0).x();
  list.AddLine(toVec2({cursor_x, frame.area.top()}), toVec2({cursor_x, frame.area.bottom()}), toU32(colors.text, 0.6),
               1);
  list.PopClipRect();
  const auto current = static_cast<std::size_t>(knot);
  if (current < count) {
    const QString text = shortNumber((*curve.values)[current]);
    drawText(list, QPointF(frame.area.right(), area.top()), colors.text,
             textSize(text).width() + textSize(curve.title).width() + 8 < area.width() ? text : QString(), {1, 0});
  }
  ImGui::SetCursorScreenPos(toVec2(frame.area.topLeft()));
  ImGui::InvisibleButton(curve.name.toUtf8().constData(), toVec2(QPointF(frame.area.width(), frame.area.height())));
  const double mouse_x = ImGui::GetIO().MousePos.x;
  const auto nearestKnot = [&] {
    int nearest = 0;
    for (int i = 0; i < static_cast<int>(entry.times.size()); ++i) {
      const auto distance = [&](int k) {
        return std::abs(frame.at(entry.times[static_cast<std::size_t>(k)], 0).x() - mouse_x);
      };
      if (distance(i) < distance(nearest)) nearest = i;
    }
    return nearest;
  };
  if (ImGui::IsItemActive()) answer.picked = nearestKnot();
  if (ImGui::IsItemHovered()) answer.hovered = nearestKnot();
  return answer;
}

}  // namespace meanflow::ui
