// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QPointF>
#include <QRectF>
#include <QSizeF>

namespace meanflow::ui {

inline constexpr double kMaxZoom = 64;        ///< Widget pixels per image pixel.
inline constexpr double kWheelFactor = 1.25;  ///< Of the zoom, for one notch of the wheel or one key.

/// Zoom and pan of a picture inside an area: widget point = area's top left + pan + zoom * image point.
struct ViewTransform {
  double zoom = 1.0;  ///< Widget pixels per image pixel.
  QPointF pan;

  QPointF toWidget(const QPointF& image_point, const QRectF& area) const;
  QPointF toImage(const QPointF& widget_point, const QRectF& area) const;
  /// Changes the zoom by `factor` within [min_zoom, max_zoom]; the image point under `anchor` stays where it is.
  void zoomAbout(const QPointF& anchor, double factor, const QRectF& area, double min_zoom, double max_zoom);
  /// The whole picture, centred; a picture much taller than the area is fitted to its width and starts at the top,
  /// so that a thousand classes are still to be seen.
  void fit(const QSizeF& image, const QRectF& area, double device_pixel_ratio);
  /// Keeps at least part of the picture inside the area; centres it along an axis where all of it fits.
  void clamp(const QSizeF& image, const QRectF& area);
};

}  // namespace meanflow::ui
