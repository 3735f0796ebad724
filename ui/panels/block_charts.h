// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QString>
#include <QWidget>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/base/metrics/metric_series.h"
#include "ui/models/block_history.h"

class QCPBars;
class QCPGraph;
class QCPItemStraightLine;
class QCPItemText;
class QCustomPlot;

namespace meanflow::ui {

class Theme;

/// One block's figure over the steps (its mean, with the extremes of what a column gathers behind it; crosses where it
/// was not finite), and how often it took which size.
class BlockCharts final : public QWidget {
  Q_OBJECT
 public:
  explicit BlockCharts(const Theme& theme, QWidget* parent = nullptr);

  void present(const BlockFigures* figures, std::size_t figure, std::size_t block, const QString& figure_title);
  void setCursor(std::optional<std::int64_t> step);
  QCustomPlot* plot() const { return plot_; }
  QString title() const { return title_text_; }

 private:
  void applyTheme();

  const Theme& theme_;
  QCustomPlot* plot_;
  QCPGraph* mean_;
  QCPGraph* low_;
  QCPGraph* high_;
  QCPGraph* broken_;
  QCPBars* bars_;
  QCPItemStraightLine* cursor_line_;
  QCPItemText* title_;
  QCPItemText* histogram_title_;
  QString title_text_;
};

/// The share of clipped steps over the steps of a stage.
class ClipChart final : public QWidget {
  Q_OBJECT
 public:
  explicit ClipChart(const Theme& theme, QWidget* parent = nullptr);
  void present(const std::vector<base::SeriesBucket>& points, double first_step, double last_step);
  void setTitle(const QString& title);
  void setCursor(std::optional<std::int64_t> step);
  QString title() const { return title_text_; }

 Q_SIGNALS:
  void stepPicked(qint64 step);

 private:
  void applyTheme();

  const Theme& theme_;
  QCustomPlot* plot_;
  QCPGraph* line_;
  QCPItemStraightLine* cursor_line_;
  QCPItemText* title_;
  QString title_text_;
};

}  // namespace meanflow::ui
