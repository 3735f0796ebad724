// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <imgui.h>

#include <QColor>
#include <QPointF>
#include <QRectF>
#include <QString>
#include <cstdint>
#include <functional>
#include <vector>

#include "ui/panes/imgui_widget.h"

// Pieces that the panes share. Included by sources only: the panes' headers do not need ImGui.
namespace meanflow::ui {

ImU32 toU32(const QColor& color, double alpha = 1.0);
ImVec2 toVec2(const QPointF& point);
/// Width and height in widget pixels; `wrap_width` > 0 breaks lines.
QSizeF textSize(const QString& text, double wrap_width = -1);
/// `text` shortened with an ellipsis to fit `width`.
QString elided(const QString& text, double width);

/// Where a drawn text sits relative to its point: 0 left or top, 0.5 middle, 1 right or bottom.
struct Anchor {
  double x = 0, y = 0;
};
void drawText(ImDrawList& list, const QPointF& point, const QColor& color, const QString& text, Anchor anchor = {});
/// A title and lines of advice in the middle of `area`.
void drawNotice(const QRectF& area, const PaneColors& colors, const QString& title, const QString& advice);
void textLine(const QString& text);
void tooltipForLastItem(const QString& text);

/// Puts items in a row and starts another row when one does not fit.
class FlowRow {
 public:
  /// Before each item: its width.
  void next(double width);

 private:
  bool is_first_ = true;
};

/// Widths ImGui will give.
double buttonWidth(const QString& text);
double comboWidth(const std::vector<QString>& choices);
/// A drop-down list; returns the index picked now, or -1.
int combo(const char* id, const QString& current, const std::vector<QString>& choices, double width);

/// What a person did in a step bar.
struct StepBarAction {
  int position = -1;  ///< Picked now, or -1.
  bool toggles_live = false;
};
/// "Live", back, forward and a slider over `count` saved things, `text` on it. `note` is told "live", "previous",
/// "next" and "step" after each.
StepBarAction drawStepBar(int position, int count, bool is_live, const QString& text,
                          const std::function<void(const QString&)>& note);
/// The area that is left in the window below the cursor.
QRectF remainingArea();

/// A thin plot frame with a vertical range and t = 1 (noise) at the left to t = 0 (image) at the right.
struct PlotFrame {
  QRectF area;  ///< Of the data.
  double low = 0, high = 1;
  double left = 1, right = 0;
  bool is_log = false;
  QPointF at(double x, double y) const;
};
/// Draws background, title, labels of the range and of the horizontal axis, and returns the frame for the data.
PlotFrame drawPlotFrame(ImDrawList& list, const QRectF& area, const PaneColors& colors, const QString& title,
                        double low, double high, double left, double right, const QString& axis, bool is_log);
/// Number for people: 3 significant digits.
QString shortNumber(double value);

}  // namespace meanflow::ui
