// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QVector>
#include <QWidget>

#include "core/base/events/training_event.h"

class QCPGraph;
class QCPItemRect;
class QCPItemStraightLine;
class QCPItemText;
class QCustomPlot;

namespace meanflow::ui {

class Theme;

/// Error of the finite difference over its step, both logarithmic: in the precision in use and in float64. The half
/// where rounding rules is shaded; the step in use and the suggested one are marked.
class DerivativeChart final : public QWidget {
  Q_OBJECT
 public:
  /// A line as it is drawn; for tests.
  struct Line {
    QVector<double> x, y;
  };

  explicit DerivativeChart(const Theme& theme, QWidget* parent = nullptr);
  void present(const base::DerivativeHealthReady& report);
  QCustomPlot* plot() const { return plot_; }
  Line errors() const;
  Line errorsFp64() const;
  double markedInUse() const;  ///< NaN where the line is not drawn.
  double markedSuggestion() const;
  double endOfRounding() const;  ///< Where the shaded half ends; NaN without one.

 private:
  void applyTheme();

  const Theme& theme_;
  QCustomPlot* plot_;
  QCPGraph *errors_, *errors_fp64_;
  QCPItemRect* rounding_;
  QCPItemStraightLine *in_use_, *suggestion_;
  QCPItemText *rounding_text_, *truncation_text_, *in_use_text_, *suggestion_text_;
};

}  // namespace meanflow::ui
