// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/time_figure_charts.h"

#include <QVBoxLayout>
#include <algorithm>
#include <cmath>
#include <limits>

#include "ui/panels/plot_look.h"
#include "ui/theme/format.h"

namespace meanflow::ui {
namespace {

/// In the order of the rows.
constexpr const char* kTimeFigures[] = {"loss", "target", "du_dt", "teacher"};

const base::BlockFigure* figureOf(const std::vector<base::BlockFigure>& figures, const std::string& name) {
  const auto at = std::find_if(figures.begin(), figures.end(), [&](const auto& each) { return each.name == name; });
  return at == figures.end() ? nullptr : &*at;
}

TimeFigureCharts::Line binsOf(const base::TimeFiguresReady& report, bool by_gap, const std::string& name) {
  TimeFigureCharts::Line line;
  const auto& edges = by_gap ? report.gap_edges : report.t_edges;
  const auto* figure = figureOf(by_gap ? report.by_gap : report.by_t, name);
  if (!figure || edges.size() < 2) return line;
  for (std::size_t i = 0; i < std::min(figure->values.size(), edges.size() - 1); ++i) {
    // Of intervals the first bin is t = r alone.
    const bool is_point = by_gap && i == 0;
    line.x << (is_point ? static_cast<double>(edges[0])
                        : 0.5 * (static_cast<double>(edges[i]) + static_cast<double>(edges[i + 1])));
    const auto value = static_cast<double>(figure->values[i]);
    line.y << (value > 0 && std::isfinite(value) ? value : std::numeric_limits<double>::quiet_NaN());
  }
  return line;
}

bool hasValues(const base::TimeFiguresReady& report, const std::string& name) {
  for (const bool by_gap : {false, true})
    for (const double value : binsOf(report, by_gap, name).y)
      if (!std::isnan(value)) return true;
  return false;
}

}  // namespace

QString timeFigureTitle(const std::string& figure) {
  if (figure == "loss") return TimeFigureCharts::tr("Squared error");
  if (figure == "target") return TimeFigureCharts::tr("Norm of the target");
  if (figure == "du_dt") return TimeFigureCharts::tr("Norm of du/dt");
  if (figure == "teacher") return TimeFigureCharts::tr("Norm of the teacher's velocity");
  return scalarTitle(figure);
}

TimeFigureCharts::TimeFigureCharts(const Theme& theme, QWidget* parent)
    : QWidget(parent), theme_(theme), plot_(new QCustomPlot(this)) {
  plot_->setAccessibleName(tr("Loss and norms by time and by length of the interval"));
  plot_->setToolTip(tr(
      "Means over the samples of a report: the squared error per latent entry, and L2 norms per root of the number "
      "of latent entries. Left by the time t, right by the length t − r of the interval; its first point is t = r."));
  plot_->setFocusPolicy(Qt::NoFocus);
  plot_->setAutoAddPlottableToLegend(false);
  plot_->setMinimumSize(220, 200);
  plot_->plotLayout()->clear();
  plot_->plotLayout()->setRowSpacing(0);
  plot_->plotLayout()->setColumnSpacing(0);
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->addWidget(plot_);
  connect(&theme_, &Theme::changed, this, &TimeFigureCharts::applyTheme);
  applyTheme();
}

int TimeFigureCharts::graphOf(std::size_t row, int column, bool is_before) const {
  return 2 * (static_cast<int>(row) * num_columns_ + column) + (is_before ? 0 : 1);
}

void TimeFigureCharts::build(const std::vector<std::string>& figures, int num_columns) {
  if (figures == figures_ && num_columns == num_columns_) return;
  figures_ = figures;
  num_columns_ = num_columns;
  plot_->clearItems();
  plot_->clearPlottables();
  plot_->plotLayout()->clear();
  auto* margins = new QCPMarginGroup(plot_);
  for (std::size_t row = 0; row < figures_.size(); ++row) {
    const bool is_lowest = row + 1 == figures_.size();
    for (int column = 0; column < num_columns_; ++column) {
      auto* rect = new QCPAxisRect(plot_);
      plot_->plotLayout()->addElement(static_cast<int>(row), column, rect);
      rect->setMinimumMargins(QMargins(6, 19, 10, 4));
      if (column == 0) rect->setMarginGroup(QCP::msLeft, margins);
      auto* x = rect->axis(QCPAxis::atBottom);
      auto* y = rect->axis(QCPAxis::atLeft);
      makeLogarithmic(*y);
      y->setTickLabels(column == 0);
      x->setTickLabels(is_lowest);
      x->ticker()->setTickCount(3);
      if (is_lowest) x->setLabel(column == 0 ? tr("t (1 = noise)") : tr("t − r"));
      for (int k = 0; k < 2; ++k) plot_->addGraph(x, y);
      if (column == 0) titleOver(*plot_, *rect)->setText(timeFigureTitle(figures_[row]));
    }
  }
  applyTheme();
}

void TimeFigureCharts::present(const base::TimeFiguresReady& report, const base::TimeFiguresReady* before) {
  std::vector<std::string> figures;
  for (const char* name : kTimeFigures)
    if (hasValues(report, name)) figures.emplace_back(name);
  build(figures, report.gap_edges.size() > 1 ? 2 : 1);
  for (std::size_t row = 0; row < figures_.size(); ++row) {
    double low = std::numeric_limits<double>::infinity(), high = 0;
    for (int column = 0; column < num_columns_; ++column) {
      double longest = column == 0 ? 1 : 0;
      for (const bool is_before : {true, false}) {
        const auto* shown = is_before ? before : &report;
        const auto line = shown ? binsOf(*shown, column == 1, figures_[row]) : Line{};
        plot_->graph(graphOf(row, column, is_before))->setData(line.x, line.y, true);
        for (int i = 0; i < line.x.size(); ++i) {
          longest = std::max(longest, line.x[i]);
          if (std::isnan(line.y[i])) continue;
          low = std::min(low, line.y[i]), high = std::max(high, line.y[i]);
        }
      }
      plot_->axisRect(static_cast<int>(row) * num_columns_ + column)
          ->axis(QCPAxis::atBottom)
          ->setRange(-0.03 * longest, 1.03 * longest);
    }
    if (!(high > 0)) continue;
    low = std::max(low, high * 1e-6);  // what lies far below the rest would flatten it
    for (int column = 0; column < num_columns_; ++column)
      plot_->axisRect(static_cast<int>(row) * num_columns_ + column)
          ->axis(QCPAxis::atLeft)
          ->setRange(low / 1.3, high * 1.3);
  }
  replotSoon(*plot_);
}

TimeFigureCharts::Line TimeFigureCharts::line(std::size_t row, int column, bool is_before) const {
  Line line;
  for (const auto& point : *plot_->graph(graphOf(row, column, is_before))->data())
    line.x << point.key, line.y << point.value;
  return line;
}

void TimeFigureCharts::applyTheme() {
  const auto& colors = theme_.colors();
  dressPlot(*plot_, colors);
  for (int i = 0; i < plot_->graphCount(); ++i) {
    const bool is_before = i % 2 == 0;
    const QColor ink = is_before ? colors.idle : colors.series[0];
    plot_->graph(i)->setPen(QPen(ink, is_before ? 1.2 : 1.8));
    plot_->graph(i)->setScatterStyle(QCPScatterStyle(QCPScatterStyle::ssDisc, ink, is_before ? 3 : 5));
  }
  replotSoon(*plot_);
}

}  // namespace meanflow::ui
