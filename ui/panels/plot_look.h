// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QPen>

#include "ui/panels/custom_plot.h"
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

/// An axis of powers of ten with as many labels as there is room for.
inline void makeLogarithmic(QCPAxis& axis) {
  axis.setScaleType(QCPAxis::stLogarithmic);
  axis.setTicker(QSharedPointer<QCPAxisTickerLog>::create());
  axis.setNumberFormat(QStringLiteral("g"));
  axis.setNumberPrecision(2);
}

}  // namespace meanflow::ui
