// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QPen>
#include <optional>

#include "ui/panels/custom_plot.h"
#include "ui/panels/plot_ticks.h"
#include "ui/theme/theme.h"

namespace meanflow::ui {

/// Background, axes, grid and texts of a plot in the colours of the theme; what curves look like is their owner's.
inline void dressPlot(QCustomPlot& plot, const ThemeColors& colors) {
  plot.setBackground(colors.plot_background);
  for (auto* rect : plot.axisRects()) {
    for (auto* axis : rect->axes()) {
      axis->setBasePen(QPen(colors.border));
      axis->setTickPen(QPen(colors.border));
      axis->setSubTickPen(QPen(colors.border));
      axis->setTickLabelColor(colors.plot_axis);
      axis->setLabelColor(colors.muted);
      axis->setTickLabelFont(plot.font());
      axis->setLabelFont(plot.font());
      axis->grid()->setPen(QPen(colors.plot_grid));
      axis->grid()->setZeroLinePen(QPen(colors.plot_grid));
      axis->grid()->setSubGridVisible(false);
    }
  }
  for (int i = 0; i < plot.itemCount(); ++i) {
    if (auto* text = qobject_cast<QCPItemText*>(plot.item(i))) {
      text->setColor(colors.text);
      text->setFont(plot.font());
    }
  }
}

/// Draws a plot anew before the window is painted next, once, however often it is asked to. QCustomPlot's own queue is
/// worked off after that painting and asks for a second one, in which a window with an OpenGL pane is composed anew.
inline void replotSoon(QCustomPlot& plot) {
  constexpr const char* kIsDue = "meanflow_replot_is_due";
  if (plot.property(kIsDue).toBool()) return;
  plot.setProperty(kIsDue, true);
  QMetaObject::invokeMethod(
      &plot,
      [&plot] {
        plot.setProperty(kIsDue, false);
        plot.replot(QCustomPlot::rpQueuedRefresh);
      },
      Qt::QueuedConnection);
}

/// A line of text at the top left of an axis rect.
inline QCPItemText* titleOver(QCustomPlot& plot, QCPAxisRect& rect, Qt::Alignment side = Qt::AlignLeft) {
  auto* title = new QCPItemText(&plot);
  title->setClipToAxisRect(false);
  title->position->setAxisRect(&rect);
  title->position->setType(QCPItemPosition::ptAxisRectRatio);
  title->position->setCoords(side == Qt::AlignLeft ? 0 : 1, 0);
  title->setPositionAlignment(side | Qt::AlignBottom);
  title->setPadding(QMargins(0, 0, 0, 2));
  return title;
}

/// A line across an axis rect from top to bottom, to be put at its place on the x axis by placeVertical; not visible
/// before.
inline QCPItemStraightLine* verticalLine(QCustomPlot& plot, QCPAxisRect& rect) {
  auto* line = new QCPItemStraightLine(&plot);
  line->setClipAxisRect(&rect);
  for (auto* point : {line->point1, line->point2}) {
    point->setAxisRect(&rect);
    point->setAxes(rect.axis(QCPAxis::atBottom), rect.axis(QCPAxis::atLeft));
    point->setTypeX(QCPItemPosition::ptPlotCoords);
    point->setTypeY(QCPItemPosition::ptAxisRectRatio);
  }
  line->setVisible(false);
  return line;
}

inline void placeVertical(QCPItemStraightLine& line, std::optional<double> x) {
  line.setVisible(x.has_value());
  if (!x) return;
  line.point1->setCoords(*x, 0);
  line.point2->setCoords(*x, 1);
}

/// A logarithmic axis with as many labels as there is room for, and some whatever its range.
inline void makeLogarithmic(QCPAxis& axis) {
  axis.setScaleType(QCPAxis::stLogarithmic);
  axis.setTicker(QSharedPointer<DecadesTicker>::create());
  axis.setNumberFormat(QStringLiteral("g"));
  axis.setNumberPrecision(3);
}

}  // namespace meanflow::ui
