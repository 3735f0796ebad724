// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panes/view_transform.h"

#include <algorithm>
#include <cmath>

namespace meanflow::ui {

QPointF ViewTransform::toWidget(const QPointF& image_point, const QRectF& area) const {
  return area.topLeft() + pan + image_point * zoom;
}

QPointF ViewTransform::toImage(const QPointF& widget_point, const QRectF& area) const {
  return (widget_point - area.topLeft() - pan) / zoom;
}

void ViewTransform::zoomAbout(const QPointF& anchor, double factor, const QRectF& area, double min_zoom,
                              double max_zoom) {
  const QPointF fixed = toImage(anchor, area);
  zoom = std::clamp(zoom * factor, min_zoom, max_zoom);
  pan = anchor - area.topLeft() - fixed * zoom;
}

void ViewTransform::fit(const QSizeF& image, const QRectF& area, double device_pixel_ratio) {
  if (image.isEmpty() || area.isEmpty()) return;
  const double by_width = area.width() / image.width();
  const double by_height = area.height() / image.height();
  constexpr double kTooThin =
      0.25;  // below this share of the other axis' zoom, see one axis whole and scroll the other
  zoom = std::min(by_width, by_height);
  if (zoom < kTooThin * std::max(by_width, by_height)) zoom = std::min(std::max(by_width, by_height), 1.0);
  // Whole device pixels a texel look even; at less than three the picture would shrink too much for it.
  const double device_zoom = zoom * device_pixel_ratio;
  if (device_zoom >= 3) zoom = std::floor(device_zoom) / device_pixel_ratio;
  pan = {};
  clamp(image, area);
}

void ViewTransform::clamp(const QSizeF& image, const QRectF& area) {
  const auto along = [](double at, double length, double room) {
    if (length <= room) return (room - length) / 2;
    return std::clamp(at, room - length, 0.0);
  };
  pan = {along(pan.x(), image.width() * zoom, area.width()), along(pan.y(), image.height() * zoom, area.height())};
}

}  // namespace meanflow::ui
