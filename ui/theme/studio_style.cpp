// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/theme/studio_style.h"

#include <QPainter>
#include <QPainterPath>
#include <QStyleFactory>
#include <QStyleOption>
#include <algorithm>

namespace meanflow::ui {
namespace {

void drawCheckBox(const QStyleOption& option, QPainter& painter, bool is_in_list) {
  const bool is_enabled = option.state & QStyle::State_Enabled;
  const bool is_on = option.state & QStyle::State_On;
  const bool is_partial = option.state & QStyle::State_NoChange;
  const bool is_on_highlight = is_in_list && (option.state & QStyle::State_Selected);
  const auto group = is_enabled ? QPalette::Active : QPalette::Disabled;
  const auto color = [&](QPalette::ColorRole role) { return option.palette.color(group, role); };
  const double side = std::min({option.rect.width(), option.rect.height(), 14});
  QRectF box(0, 0, side - 1, side - 1);
  box.moveCenter(QRectF(option.rect).center());
  const QColor mark = is_on_highlight ? color(QPalette::Highlight) : color(QPalette::HighlightedText);
  const QColor fill = is_on_highlight ? color(QPalette::HighlightedText) : color(QPalette::Highlight);
  QColor frame = is_on_highlight ? color(QPalette::HighlightedText) : color(QPalette::PlaceholderText);
  const bool is_hot = (option.state & QStyle::State_MouseOver) || (option.state & QStyle::State_HasFocus);
  if (is_enabled && is_hot && !is_on_highlight) frame = color(QPalette::Highlight);
  if (!is_enabled) frame.setAlphaF(0.5F);
  painter.save();
  painter.setRenderHint(QPainter::Antialiasing);
  painter.setPen(QPen(is_on || is_partial ? fill : frame, 1.2));
  painter.setBrush(is_on || is_partial ? fill : is_on_highlight ? QColor(Qt::transparent) : color(QPalette::Base));
  painter.drawRoundedRect(box, 3, 3);
  painter.setPen(QPen(mark, 1.8, Qt::SolidLine, Qt::RoundCap, Qt::RoundJoin));
  painter.setBrush(Qt::NoBrush);
  const auto at = [&](double x, double y) { return box.topLeft() + QPointF(x * box.width(), y * box.height()); };
  if (is_partial) {
    painter.drawLine(at(0.25, 0.5), at(0.75, 0.5));
  } else if (is_on) {
    QPainterPath tick(at(0.22, 0.52));
    tick.lineTo(at(0.42, 0.72));
    tick.lineTo(at(0.78, 0.28));
    painter.drawPath(tick);
  }
  painter.restore();
}

}  // namespace

StudioStyle::StudioStyle() : QProxyStyle(QStyleFactory::create(QStringLiteral("Fusion"))) {}

void StudioStyle::drawPrimitive(PrimitiveElement element, const QStyleOption* option, QPainter* painter,
                                const QWidget* widget) const {
  if (element == PE_IndicatorCheckBox || element == PE_IndicatorItemViewItemCheck)
    drawCheckBox(*option, *painter, element == PE_IndicatorItemViewItemCheck);
  else
    QProxyStyle::drawPrimitive(element, option, painter, widget);
}

}  // namespace meanflow::ui
