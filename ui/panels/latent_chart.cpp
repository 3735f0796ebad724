// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/latent_chart.h"

#include <QVBoxLayout>
#include <algorithm>
#include <cmath>

#include "ui/panels/plot_look.h"
#include "ui/theme/format.h"
#include "ui/theme/theme.h"

namespace meanflow::ui {

LatentChart::LatentChart(const Theme& theme, QWidget* parent) : QWidget(parent), theme_(theme), plot_(new QCustomPlot) {
  plot_->setFocusPolicy(Qt::NoFocus);
  plot_->setAccessibleName(tr("Mean and standard deviation of the latent channels"));
  plot_->setMinimumSize(180, 96);
  plot_->plotLayout()->clear();
  plot_->plotLayout()->setColumnSpacing(2);
  for (int column = 0; column < 2; ++column) {
    auto* rect = new QCPAxisRect(plot_);
    rect->setMinimumMargins(QMargins(6, 5, 8, 4));
    plot_->plotLayout()->addElement(0, column, rect);
    auto* x = rect->axis(QCPAxis::atBottom);
    auto* y = rect->axis(QCPAxis::atLeft);
    x->setLabel(tr("channel"));
    y->setLabel(column == 0 ? tr("mean") : tr("std"));
    x->ticker()->setTickCount(2);
    y->ticker()->setTickCount(3);
    auto* bars = new QCPBars(x, y);
    bars->setWidthType(QCPBars::wtPlotCoords);
    bars->setWidth(0.9);
  }
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->addWidget(plot_);
  connect(&theme_, &Theme::changed, this, &LatentChart::applyTheme);
  applyTheme();
}

void LatentChart::present(const std::vector<float>& mean, const std::vector<float>& std) {
  QStringList words;
  for (int column = 0; column < 2; ++column) {
    const auto& values = column == 0 ? mean : std;
    auto* rect = plot_->axisRect(column);
    QVector<double> x, y;
    double low = 0, high = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (!std::isfinite(values[i])) continue;
      x << static_cast<double>(i);
      y << values[i];
      low = std::min(low, y.back());
      high = std::max(high, y.back());
    }
    static_cast<QCPBars*>(rect->plottables().front())->setData(x, y, true);
    rect->axis(QCPAxis::atBottom)->setRange(-0.6, static_cast<double>(std::max<std::size_t>(values.size(), 1)) - 0.4);
    const double room = std::max(0.06 * (high - low), 1e-6);
    rect->axis(QCPAxis::atLeft)->setRange(low < 0 ? low - room : 0, high > 0 ? high + room : room);
    words << (column == 0 ? tr("means from %1 to %2") : tr("standard deviations from %1 to %2"))
                 .arg(formatNumber(values.empty() ? 0 : *std::min_element(values.begin(), values.end())),
                      formatNumber(values.empty() ? 0 : *std::max_element(values.begin(), values.end())));
  }
  const QString text = tr("%1 channels: %2").arg(mean.size()).arg(words.join(QStringLiteral(", ")));
  plot_->setToolTip(text);
  plot_->setAccessibleDescription(text);
  replotSoon(*plot_);
}

void LatentChart::applyTheme() {
  const auto& colors = theme_.colors();
  dressPlot(*plot_, colors);
  int column = 0;
  for (auto* rect : plot_->axisRects()) {
    for (auto* axis : rect->axes()) axis->grid()->setZeroLinePen(QPen(colors.border));
    for (auto* each : rect->plottables()) {
      each->setPen(Qt::NoPen);
      each->setBrush(colors.series[column % colors.series.size()]);
    }
    ++column;
  }
  replotSoon(*plot_);
}

}  // namespace meanflow::ui
