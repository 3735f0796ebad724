// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QColor>
#include <QString>
#include <QStringList>
#include <QTreeWidget>
#include <vector>

#include "ui/models/curve_lines.h"

namespace meanflow::ui {

struct ThemeColors;

/// The values of every curve at one place of the x axis: a row a curve, a column a scalar.
class CurveValues final : public QTreeWidget {
  Q_OBJECT
 public:
  struct Row {
    QString name;
    QString step;
    QStringList values;  ///< One a scalar, as text.
    QColor colour;
  };
  explicit CurveValues(QWidget* parent = nullptr);
  void present(const QStringList& scalar_titles, const std::vector<Row>& rows);
  void presentAt(const std::vector<CurveLine>& lines, const QStringList& scalars, double x, const ThemeColors& colors);
  QSize sizeHint() const override;
};

}  // namespace meanflow::ui
