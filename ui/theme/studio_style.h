// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QProxyStyle>

namespace meanflow::ui {

/// Fusion with check boxes of our own: Fusion frames them in a darker shade of the window's colour, which cannot be
/// seen where that is dark already. Colours come from the palette.
class StudioStyle final : public QProxyStyle {
 public:
  StudioStyle();
  void drawPrimitive(PrimitiveElement element, const QStyleOption* option, QPainter* painter,
                     const QWidget* widget) const override;
};

}  // namespace meanflow::ui
