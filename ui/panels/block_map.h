// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QWidget>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "ui/models/block_history.h"
#include "ui/panes/color_scale.h"

namespace meanflow::ui {

class Theme;

/// One figure of every block over the steps of a stage: a row a block, colour for size on a logarithmic scale with its
/// legend. Where several reports share a pixel the largest is shown, so that no extreme is hidden; values that are not
/// finite are marked with a hatched cell that is never smaller than a few pixels. A click chooses block and step; Up
/// and Down choose a block, Left and Right the step of the report before or after.
class BlockMap final : public QWidget {
  Q_OBJECT
 public:
  explicit BlockMap(const Theme& theme, QWidget* parent = nullptr);

  /// What is drawn; nullptr: nothing. The figures are read again with every call and must outlive the widget's paint.
  void present(const BlockFigures* figures, std::size_t figure, const QString& figure_title);
  void setCursor(std::optional<std::int64_t> step);
  void setBlock(std::size_t block);
  std::size_t block() const { return block_; }
  /// Where the cells of the map are, and the values at the ends of the colour scale.
  QRect mapRect() const;
  double scaleLow() const { return low_; }
  double scaleHigh() const { return high_; }
  int numNotFinite() const { return num_not_finite_; }
  /// What is known of the cell under a point of the widget; empty outside the map.
  QString readOut(const QPoint& point) const;
  /// x of the right end of a step, and the rows' extent, in the widget.
  double xOf(std::int64_t step) const;
  QRectF rowRect(std::size_t block) const;
  QSize sizeHint() const override { return {460, 240}; }
  QSize minimumSizeHint() const override { return {220, 110}; }

 Q_SIGNALS:
  void picked(qint64 step, int block);
  void hovered(const QString& read_out);  ///< Empty when the pointer leaves the map.

 protected:
  void paintEvent(QPaintEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;
  void mousePressEvent(QMouseEvent* event) override;
  void mouseMoveEvent(QMouseEvent* event) override;
  void leaveEvent(QEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;

 private:
  struct Place {
    std::size_t column = 0, block = 0;
  };
  std::optional<Place> placeAt(const QPoint& point) const;
  QString textOf(const Place& place) const;
  std::size_t numBlocks() const { return figures_ ? figures_->blocks().size() : 0; }
  double positionOf(double value) const;
  void measure();
  void paintCells(QPainter& painter) const;
  void paintNotFinite(QPainter& painter) const;
  void paintAxes(QPainter& painter) const;
  void paintLegend(QPainter& painter) const;

  const Theme& theme_;
  ColorScale scale_;
  const BlockFigures* figures_ = nullptr;
  std::size_t figure_ = 0;
  QString title_;
  std::optional<std::int64_t> cursor_;
  std::size_t block_ = 0;
  double low_ = 0, high_ = 0;
  int num_not_finite_ = 0;
  int label_width_ = 60;
};

/// A positive value beside a colour bar, in two significant digits and little room: "0.31", "250", "10⁻⁵", "3.1e-5".
QString scaleLabel(double value);

/// "Gradient norm", "Adam update norm", "Parameter norm"; unknown names as they are.
QString blockFigureTitle(const std::string& name);

}  // namespace meanflow::ui
