// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QString>
#include <QVector>
#include <QWidget>
#include <array>
#include <string>
#include <vector>

#include "core/base/events/training_event.h"

class QCustomPlot;

namespace meanflow::ui {

class Theme;

/// Loss and norms of one report by the time t and by the length t - r of the interval, small charts with logarithmic y
/// axes; the report before it in grey. A row a figure that the report has, on one y axis for both columns.
class TimeFigureCharts final : public QWidget {
  Q_OBJECT
 public:
  /// A line as it is drawn; for tests.
  struct Line {
    QVector<double> x, y;
  };

  explicit TimeFigureCharts(const Theme& theme, QWidget* parent = nullptr);
  /// `before` may be null.
  void present(const base::TimeFiguresReady& report, const base::TimeFiguresReady* before);
  QCustomPlot* plot() const { return plot_; }
  const std::vector<std::string>& figures() const { return figures_; }  ///< A row each.
  int numColumns() const { return num_columns_; }  ///< By t, and by t - r where there are intervals.
  Line line(std::size_t row, int column, bool is_before) const;

 private:
  void build(const std::vector<std::string>& figures, int num_columns);
  void applyTheme();
  int graphOf(std::size_t row, int column, bool is_before) const;

  const Theme& theme_;
  QCustomPlot* plot_;
  std::vector<std::string> figures_;
  int num_columns_ = 0;
};

/// "Loss", "Target norm", ...; unknown ones as they are.
QString timeFigureTitle(const std::string& figure);

}  // namespace meanflow::ui
