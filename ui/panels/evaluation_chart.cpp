// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/evaluation_chart.h"

#include <QVBoxLayout>
#include <algorithm>
#include <cmath>
#include <set>

#include "ui/panels/plot_look.h"
#include "ui/theme/theme.h"

namespace meanflow::ui {

EvaluationChart::EvaluationChart(const Theme& theme, QWidget* parent)
    : QWidget(parent), theme_(theme), plot_(new QCustomPlot) {
  plot_->setFocusPolicy(Qt::NoFocus);
  plot_->setMinimumSize(200, 130);
  plot_->xAxis->setScaleType(QCPAxis::stLogarithmic);
  plot_->xAxis->setSubTicks(false);
  plot_->xAxis->setLabel(tr("network evaluations an image"));
  plot_->legend->setVisible(true);
  plot_->legend->setBorderPen(Qt::NoPen);
  plot_->legend->setIconSize(18, 10);
  plot_->legend->setRowSpacing(-2);
  plot_->axisRect()->setMinimumMargins(QMargins(8, 6, 10, 4));
  // Below the chart, two in a row: it never lies over points.
  plot_->axisRect()->insetLayout()->take(plot_->legend);
  plot_->plotLayout()->addElement(1, 0, plot_->legend);
  plot_->plotLayout()->setRowStretchFactor(1, 0.001);
  plot_->plotLayout()->setRowSpacing(0);
  plot_->legend->setFillOrder(QCPLayoutGrid::foColumnsFirst);
  plot_->legend->setWrap(2);
  plot_->legend->setMargins(QMargins(8, 0, 4, 4));
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->addWidget(plot_);
  connect(&theme_, &Theme::changed, this, &EvaluationChart::build);
}

QStringList EvaluationChart::lineNames() const {
  QStringList names;
  for (const auto& line : lines_) names << line.name;
  return names;
}

void EvaluationChart::present(const std::vector<RunScores>& runs, const QString& measure, const Score* chosen) {
  measure_ = measure;
  lines_.clear();
  for (const auto& run : runs) {
    const auto named = [&](const QString& name) { return runs.size() > 1 ? tr("%1: %2").arg(run.name, name) : name; };
    for (const auto& row : run.rows) {
      const auto* score = row.find(measure);
      if (!score || !std::isfinite(score->value) || (!row.is_floor && (row.line.isEmpty() || row.nfe <= 0))) continue;
      const QString name = named(row.is_floor ? row.title : row.line);
      auto at = std::find_if(lines_.begin(), lines_.end(), [&](const Line& line) { return line.name == name; });
      if (at == lines_.end()) {
        lines_.push_back({name, {}, row.is_floor});
        at = lines_.end() - 1;
      }
      at->points.push_back({static_cast<double>(row.nfe), score->value,
                            !chosen || chosen->measure != measure || whyNotComparable(*chosen, *score).isEmpty()});
    }
  }
  for (auto& line : lines_)
    std::sort(line.points.begin(), line.points.end(), [](const Point& a, const Point& b) { return a.nfe < b.nfe; });
  build();
}

void EvaluationChart::build() {
  plot_->clearPlottables();
  std::set<double> steps;
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (const auto& line : lines_) {
    for (const auto& point : line.points) {
      if (line.is_floor) continue;
      steps.insert(point.nfe);
      low = std::min(low, point.value);
      high = std::max(high, point.value);
    }
  }
  // A floor far off would squeeze the lines; the tip has it.
  const double reach = std::max(high - low, 0.0);
  const double line_low = low, line_high = high;
  for (const auto& line : lines_) {
    if (!line.is_floor) continue;
    const double value = line.points.front().value;
    if (std::isfinite(low) && (value < line_low - 2 * reach || value > line_high + reach)) continue;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  const double first = steps.empty() ? 1 : *steps.begin(), last = steps.empty() ? 4 : *steps.rbegin();
  const auto ticker = QSharedPointer<QCPAxisTickerText>::create();
  for (const double step : steps) ticker->addTick(step, QString::number(step));
  plot_->xAxis->setTicker(ticker);
  const double from = first / 1.35, to = std::max(last, 2 * first) * 1.35;
  plot_->xAxis->setRange(from, to);
  if (std::isfinite(low)) {
    const double room = std::max(0.08 * (high - low), 1e-3 * std::max(std::abs(high), 1e-9));
    plot_->yAxis->setRange(low - room, high + room);
  }
  plot_->yAxis->setLabel(measureTitle(measure_));
  const auto& colors = theme_.colors();
  qsizetype colour = 0;
  for (const auto& line : lines_) {
    QColor ink = line.is_floor ? colors.muted : colors.series[colour++ % colors.series.size()];
    const bool compares =
        std::any_of(line.points.begin(), line.points.end(), [](const Point& p) { return p.compares; });
    QColor faint = ink;
    faint.setAlpha(110);
    QVector<double> x, y, other_x, other_y;
    if (line.is_floor) {
      x = {from, to};
      y = {line.points.front().value, line.points.front().value};
    }
    for (const auto& point : line.points) {
      if (line.is_floor) break;
      (point.compares ? x : other_x) << point.nfe;
      (point.compares ? y : other_y) << point.value;
    }
    if (!x.isEmpty()) {
      auto* graph = plot_->addGraph();
      graph->setName(line.name);
      graph->setData(x, y, true);
      graph->setPen(QPen(line.is_floor && !compares ? faint : ink, line.is_floor ? 1.2 : 1.8,
                         line.is_floor ? Qt::DashLine : Qt::SolidLine));
      if (!line.is_floor) graph->setScatterStyle(QCPScatterStyle(QCPScatterStyle::ssDisc, ink, ink, 7));
    }
    if (!other_x.isEmpty()) {
      auto* graph = plot_->addGraph();
      graph->setName(line.name);
      graph->setData(other_x, other_y, true);
      graph->setPen(QPen(faint, 1.2, Qt::DotLine));
      graph->setScatterStyle(QCPScatterStyle(QCPScatterStyle::ssCircle, QPen(faint, 1.4), QBrush(Qt::NoBrush), 7));
    }
  }
  style();
  QStringList words;
  for (const auto& line : lines_) {
    QStringList values;
    for (const auto& point : line.points)
      values << (line.is_floor ? formatScore(measure_, point.value)
                               : tr("%1 at %2").arg(formatScore(measure_, point.value)).arg(point.nfe)) +
                    (point.compares ? QString() : tr(" (does not compare with the chosen number)"));
    words << tr("%1: %2").arg(line.name, values.join(QStringLiteral(", ")));
  }
  plot_->setAccessibleName(tr("%1 against network evaluations").arg(measureTitle(measure_)));
  plot_->setAccessibleDescription(words.join(QStringLiteral("; ")));
  plot_->setToolTip(words.join(QLatin1Char('\n')));
  replotSoon(*plot_);
}

void EvaluationChart::resizeEvent(QResizeEvent* event) {
  QWidget::resizeEvent(event);
  showLegendWhereThereIsRoom();
}

void EvaluationChart::showLegendWhereThereIsRoom() {
  constexpr int kLeastChart = 110;
  const int rows = (plot_->legend->itemCount() + 1) / 2;
  const bool has_room = rows > 0 && height() - rows * fontMetrics().height() >= kLeastChart;
  auto* layout = plot_->plotLayout();
  if (has_room && !plot_->legend->layout()) {
    layout->addElement(1, 0, plot_->legend);
    layout->setRowStretchFactor(1, 0.001);
  } else if (!has_room && plot_->legend->layout()) {
    layout->take(plot_->legend);  // its entries are in the tip, too
    layout->simplify();
  }
  plot_->legend->setVisible(has_room);
  replotSoon(*plot_);
}

void EvaluationChart::style() {
  const auto& colors = theme_.colors();
  dressPlot(*plot_, colors);
  QColor back = colors.panel;
  back.setAlpha(200);
  plot_->legend->setBrush(back);
  plot_->legend->setTextColor(colors.muted);
  plot_->legend->setFont(font());
  for (int i = 0; i < plot_->legend->itemCount(); ++i) {
    auto* item = plot_->legend->item(i);
    if (!item) continue;  // the last cell of an odd number
    item->setFont(font());
    item->setTextColor(colors.muted);
  }
  showLegendWhereThereIsRoom();
}

}  // namespace meanflow::ui
