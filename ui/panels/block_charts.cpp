// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/block_charts.h"

#include <QVBoxLayout>
#include <algorithm>
#include <cmath>

#include "ui/panels/plot_look.h"
#include "ui/theme/format.h"

namespace meanflow::ui {
namespace {

constexpr int kBins = 24;

void prepare(QCustomPlot* plot) {
  plot->setFocusPolicy(Qt::NoFocus);
  plot->setAutoAddPlottableToLegend(false);
}

}  // namespace

BlockCharts::BlockCharts(const Theme& theme, QWidget* parent)
    : QWidget(parent), theme_(theme), plot_(new QCustomPlot(this)) {
  prepare(plot_);
  plot_->setAccessibleName(tr("History and histogram of the chosen block"));
  auto* history = plot_->axisRect();
  auto* counts = new QCPAxisRect(plot_);
  plot_->plotLayout()->addElement(0, 1, counts);
  plot_->plotLayout()->setColumnStretchFactor(0, 3);
  plot_->plotLayout()->setColumnStretchFactor(1, 2);
  for (auto* rect : {history, counts}) rect->setMinimumMargins(QMargins(8, 20, 12, 4));
  low_ = plot_->addGraph();
  high_ = plot_->addGraph();
  high_->setChannelFillGraph(low_);
  mean_ = plot_->addGraph();
  broken_ = plot_->addGraph();
  broken_->setLineStyle(QCPGraph::lsNone);
  makeLogarithmic(*history->axis(QCPAxis::atLeft));
  makeLogarithmic(*counts->axis(QCPAxis::atBottom));
  history->axis(QCPAxis::atBottom)->setLabel(tr("step"));
  history->axis(QCPAxis::atBottom)->ticker()->setTickCount(4);
  counts->axis(QCPAxis::atLeft)->setLabel(tr("reports"));
  counts->axis(QCPAxis::atLeft)->ticker()->setTickCount(3);
  bars_ = new QCPBars(counts->axis(QCPAxis::atBottom), counts->axis(QCPAxis::atLeft));
  bars_->setWidthType(QCPBars::wtAxisRectRatio);
  cursor_line_ = verticalLine(*plot_, *history);
  title_ = titleOver(*plot_, *history);
  histogram_title_ = titleOver(*plot_, *counts);
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->addWidget(plot_);
  plot_->setMinimumSize(220, 100);
  connect(&theme_, &Theme::changed, this, &BlockCharts::applyTheme);
  applyTheme();
}

void BlockCharts::present(const BlockFigures* figures, std::size_t figure, std::size_t block,
                          const QString& figure_title) {
  QVector<double> steps, means, lows, highs, broken_steps, broken_values;
  title_text_.clear();
  histogram_title_->setText({});
  bars_->setData({}, {});
  if (figures && block < figures->blocks().size()) {
    title_text_ = tr("%1 of %2").arg(figure_title, QString::fromStdString(figures->blocks()[block]));
    double low = std::numeric_limits<double>::infinity(), high = 0;
    const auto& columns = figures->columns();
    for (std::size_t c = 0; c < columns.size(); ++c) {
      const auto& cell = figures->cell(c, figure, block);
      if (cell.num_not_finite > 0) broken_steps << static_cast<double>(columns[c].last_step);
      if (cell.isEmpty()) continue;
      steps << static_cast<double>(columns[c].last_step);
      // Nothing and zero have no place on a logarithmic axis: a gap.
      const bool is_drawn = cell.num_finite > 0 && cell.high > 0;
      means << (is_drawn ? cell.mean() : std::nan(""));
      lows << (is_drawn ? std::max(cell.low, 1e-3 * cell.high) : std::nan(""));
      highs << (is_drawn ? cell.high : std::nan(""));
      if (is_drawn) low = std::min(low, cell.low > 0 ? cell.low : cell.high), high = std::max(high, cell.high);
    }
    auto* rect = plot_->axisRect(0);
    if (high > 0) {
      if (high < 1.2 * low) low /= 1.5, high *= 1.5;
      rect->axis(QCPAxis::atLeft)->setRange(low / 1.15, high * 1.25);
    }
    for (qsizetype i = 0; i < broken_steps.size(); ++i) broken_values << (high > 0 ? high : 1);
    rect->axis(QCPAxis::atBottom)
        ->setRange(static_cast<double>(figures->beginOf(0)), static_cast<double>(columns.back().last_step));
    const auto histogram = blockHistogram(*figures, figure, block, kBins);
    QVector<double> places, counts;
    for (std::size_t i = 0; i < histogram.counts.size(); ++i) {
      places << std::sqrt(histogram.edges[i] * histogram.edges[i + 1]);
      counts << histogram.counts[i];
    }
    bars_->setData(places, counts, true);
    bars_->setWidth(0.9 / kBins);
    if (!histogram.edges.empty()) {
      auto* sizes = plot_->axisRect(1);
      sizes->axis(QCPAxis::atBottom)->setRange(histogram.edges.front(), histogram.edges.back());
      sizes->axis(QCPAxis::atLeft)->setRange(0, 1.1 * *std::max_element(counts.begin(), counts.end()));
    }
    QStringList aside;
    if (histogram.num_zero > 0) aside << tr("%1 zero").arg(formatCount(histogram.num_zero));
    if (histogram.num_not_finite > 0) aside << tr("%1 not finite").arg(formatCount(histogram.num_not_finite));
    if (figures->reportsAColumn() > 1) aside << tr("means of %1").arg(figures->reportsAColumn());
    histogram_title_->setText(aside.isEmpty() ? tr("How often")
                                              : tr("How often (%1)").arg(aside.join(QStringLiteral(", "))));
  }
  title_->setText(title_text_);
  setAccessibleDescription(title_text_);
  mean_->setData(steps, means, true);
  low_->setData(steps, lows, true);
  high_->setData(steps, highs, true);
  broken_->setData(broken_steps, broken_values, true);
  replotSoon(*plot_);
}

void BlockCharts::setCursor(std::optional<std::int64_t> step) {
  placeVertical(*cursor_line_, step);
  replotSoon(*plot_);
}

void BlockCharts::applyTheme() {
  const auto& colors = theme_.colors();
  dressPlot(*plot_, colors);
  QColor band = colors.series[0];
  band.setAlpha(60);
  low_->setPen(Qt::NoPen);
  high_->setPen(Qt::NoPen);
  high_->setBrush(band);
  mean_->setPen(QPen(colors.series[0], 1.6));
  broken_->setScatterStyle(QCPScatterStyle(QCPScatterStyle::ssCross, QPen(colors.bad, 2), Qt::NoBrush, 8));
  bars_->setPen(Qt::NoPen);
  bars_->setBrush(colors.series[0]);
  cursor_line_->setPen(QPen(colors.accent, 1.2));
  replotSoon(*plot_);
}

ClipChart::ClipChart(const Theme& theme, QWidget* parent)
    : QWidget(parent), theme_(theme), plot_(new QCustomPlot(this)) {
  prepare(plot_);
  plot_->setAccessibleName(tr("Share of steps whose gradient was clipped"));
  plot_->setToolTip(
      tr("The share of steps whose gradient was longer than clip_grad and was shortened to it, smoothed "
         "over some ten reports. A click moves the step cursor."));
  line_ = plot_->addGraph();
  plot_->axisRect()->setMinimumMargins(QMargins(8, 20, 12, 4));
  plot_->yAxis->setRange(0, 100);
  plot_->yAxis->ticker()->setTickCount(3);
  plot_->yAxis->setLabel(tr("%"));
  plot_->xAxis->setLabel(tr("step"));
  plot_->xAxis->ticker()->setTickCount(4);
  cursor_line_ = verticalLine(*plot_, *plot_->axisRect());
  title_ = titleOver(*plot_, *plot_->axisRect());
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->addWidget(plot_);
  plot_->setMinimumSize(200, 90);
  connect(plot_, &QCustomPlot::mousePress, this, [this](QMouseEvent* event) {
    const double step = plot_->xAxis->pixelToCoord(event->pos().x());
    if (plot_->axisRect()->rect().contains(event->pos())) Q_EMIT stepPicked(std::llround(std::max(0.0, step)));
  });
  connect(&theme_, &Theme::changed, this, &ClipChart::applyTheme);
  applyTheme();
}

void ClipChart::present(const std::vector<base::SeriesBucket>& points, double first_step, double last_step) {
  QVector<double> steps, shares;
  for (const auto& point : points) {
    steps << point.x_last;
    shares << 100 * point.y_last;
  }
  line_->setData(steps, shares, true);
  plot_->xAxis->setRange(first_step, std::max(first_step + 1, last_step));
  replotSoon(*plot_);
}

void ClipChart::setTitle(const QString& title) {
  if (title == title_text_) return;
  title_text_ = title;
  title_->setText(title);
  setAccessibleDescription(title);
  replotSoon(*plot_);
}

void ClipChart::setCursor(std::optional<std::int64_t> step) {
  placeVertical(*cursor_line_, step);
  replotSoon(*plot_);
}

void ClipChart::applyTheme() {
  const auto& colors = theme_.colors();
  dressPlot(*plot_, colors);
  line_->setPen(QPen(colors.series[1], 1.6));
  cursor_line_->setPen(QPen(colors.accent, 1.2));
  replotSoon(*plot_);
}

}  // namespace meanflow::ui
