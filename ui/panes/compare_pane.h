// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QString>
#include <QStringList>
#include <memory>

#include "core/base/image.h"
#include "ui/panes/imgui_widget.h"
#include "ui/panes/view_transform.h"

namespace meanflow::ui {

/// One grid of images with the names of its rows, or two under a wipe: left of the line the first, right of it the
/// second. Wheel zooms about the cursor to the pixel, drag pans, double click or F fits.
///
/// Keys: F fit, +/- zoom, Shift+Left/Right move the wipe, X swaps the sides. Item names: "picture", "labels", "wipe".
class ComparePane final : public ImGuiWidget {
  Q_OBJECT
 public:
  explicit ComparePane(QWidget* parent = nullptr);

  struct Side {
    std::shared_ptr<const base::Image8> image;  ///< Null: nothing yet.
    QString caption;
  };
  void setSides(Side first, Side second, int rows, int columns, QStringList row_labels);
  /// What to say while there is no picture.
  void setNotice(const QString& title, const QString& advice);
  QSize minimumSizeHint() const override { return {180, 160}; }
  double wipe() const { return wipe_; }
  bool isComparing() const { return second_.image != nullptr; }

 public Q_SLOTS:
  void fit();

 protected:
  void draw() override;

 private:
  void drawSide(const Side& side, const QRectF& area, const QRectF& clip);
  void drawLabels(const QRectF& column, double cell_height);
  void drawWipe(const QRectF& area);
  void handleMouse(const QRectF& area);
  void drawHover(const QRectF& area);
  void zoomBy(double factor);
  QSizeF imageSize() const;

  Side first_, second_;
  int rows_ = 0, columns_ = 0;
  QStringList labels_;
  QString notice_title_, notice_advice_;
  ViewTransform view_;
  QRectF area_;
  double wipe_ = 0.5;
  bool is_fitted_ = true;
  bool is_dragging_wipe_ = false;
};

}  // namespace meanflow::ui
