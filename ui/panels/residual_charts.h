// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QWidget>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/base/events/training_event.h"

class QCustomPlot;

namespace meanflow::ui {

class Theme;

/// The three residuals and their sum, above over training and below over t at one step, for several eta side by side on
/// common logarithmic axes. A residual that an eta weighs with zero has no line.
class ResidualCharts final : public QWidget {
  Q_OBJECT
 public:
  /// One line of a chart, as it is drawn; for tests.
  struct Line {
    QVector<double> x, y;
  };
  static constexpr int kNumLines = 4;  ///< Single-point velocity, teacher-oracle velocity, oracle bias, total.

  explicit ResidualCharts(const Theme& theme, QWidget* parent = nullptr);

  /// `shown`: the report whose bins are drawn, one of `reports`.
  void present(const std::vector<base::VelocityResidualsReady>& reports, const base::VelocityResidualsReady& shown);
  void clear();
  void setCursor(std::optional<std::int64_t> step);
  QCustomPlot* plot() const { return plot_; }
  const std::vector<double>& etas() const { return etas_; }  ///< A column each.
  Line line(int row, std::size_t column, int which) const;

 Q_SIGNALS:
  void stepPicked(qint64 step);

 private:
  void fitRoom();  ///< Columns as wide as each other inside; axis names only where there is room for them.
  void build(const std::vector<double>& etas, double in_use);
  void applyTheme();

  const Theme& theme_;
  QCustomPlot* plot_;
  std::vector<double> etas_;
  double in_use_ = -1;
  std::optional<std::int64_t> cursor_;
};

}  // namespace meanflow::ui
