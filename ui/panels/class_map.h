// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QWidget>
#include <string>
#include <vector>

#include "ui/panes/color_scale.h"

namespace meanflow::ui {

class Theme;

/// One cell a class, in the order of labels, as square as the widget allows. Coloured by accuracy from 0 to 1, or by
/// its change from -1 (lost) over 0 to 1 (won); what has no figure is hatched. Cells that are large enough carry the
/// name.
class ClassMap final : public QWidget {
  Q_OBJECT
 public:
  enum class Kind { kAccuracy, kChange };
  struct Cell {
    double value = 0;         ///< Accuracy, or its change; NaN: no figure.
    bool is_notable = false;  ///< Framed: won or lost beyond chance.
    QString text;             ///< What the pointer and assistive technology read.
  };

  explicit ClassMap(const Theme& theme, QWidget* parent = nullptr);

  void present(Kind kind, std::vector<Cell> cells, const std::vector<std::string>& names);
  /// Classes that a search found; the others are faint. Empty: none is sought.
  void setFound(std::vector<bool> found);
  void setCurrent(int label);  ///< -1: none.
  int current() const { return current_; }
  int numCells() const { return static_cast<int>(cells_.size()); }
  QRectF cellRect(int label) const;
  int labelAt(const QPointF& point) const;  ///< -1 outside the cells.
  QColor colourOf(int label) const;
  QSize sizeHint() const override { return {420, 320}; }
  QSize minimumSizeHint() const override { return {200, 140}; }

 Q_SIGNALS:
  void currentChanged(int label);
  void chosen(int label);  ///< By a click, or by Enter.
  void hovered(const QString& text);

 protected:
  void paintEvent(QPaintEvent* event) override;
  void mousePressEvent(QMouseEvent* event) override;
  void mouseMoveEvent(QMouseEvent* event) override;
  void leaveEvent(QEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;

 private:
  QRectF mapRect() const;
  int numColumns() const;
  void paintCell(QPainter& painter, int label) const;
  void paintLegend(QPainter& painter) const;
  QColor colourAt(double value) const;

  const Theme& theme_;
  ColorScale scale_;
  Kind kind_ = Kind::kAccuracy;
  std::vector<Cell> cells_;
  std::vector<QString> names_;
  std::vector<bool> found_;
  int current_ = -1;
};

}  // namespace meanflow::ui
