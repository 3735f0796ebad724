// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/system_charts.h"

#include <QPainter>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>
#include <utility>

#include "ui/panels/plot_look.h"
#include "ui/theme/theme.h"

namespace meanflow::ui {
namespace {

constexpr double kShownMinutes = 10;
constexpr double kLeastMinutes = 1;

/// The next of 1, 2, 5, 10, 20, ... at or above: an axis that does not jump with every value.
double roundUp(double value) {
  if (!(value > 0)) return 1;
  const double unit = std::pow(10, std::floor(std::log10(value)));
  for (const double step : {1.0, 2.0, 5.0, 10.0})
    if (step * unit >= value * 0.999) return step * unit;
  return 10 * unit;
}

QString signature(const SystemCharts::Chart& chart) {
  QString text = chart.title;
  for (const auto& line : chart.lines) text += QLatin1Char('\n') + line.name;
  return text;
}

}  // namespace

SystemCharts::SystemCharts(const Theme& theme, QWidget* parent)
    : QWidget(parent), theme_(theme), plot_(new QCustomPlot) {
  plot_->setAccessibleName(tr("Machine, program and GPUs over the last ten minutes"));
  plot_->setToolTip(tr("The last ten minutes; the right end is now"));
  plot_->setFocusPolicy(Qt::NoFocus);
  plot_->setAutoAddPlottableToLegend(false);
  plot_->plotLayout()->clear();
  plot_->plotLayout()->setRowSpacing(0);
  plot_->setMinimumSize(180, 110);
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->addWidget(plot_);
  connect(&theme_, &Theme::changed, this, &SystemCharts::applyTheme);
}

void SystemCharts::build(const std::vector<Chart>& charts) {
  titles_.clear();
  plot_->clearItems();
  plot_->clearPlottables();
  plot_->plotLayout()->clear();
  auto* margins = new QCPMarginGroup(plot_);
  for (std::size_t row = 0; row < charts.size(); ++row) {
    titles_ << signature(charts[row]);
    auto* rect = new QCPAxisRect(plot_);
    plot_->plotLayout()->addElement(static_cast<int>(row), 0, rect);
    rect->setMinimumMargins(QMargins(6, 4, 10, 2));
    rect->setMarginGroup(QCP::msLeft | QCP::msRight, margins);
    auto* x = rect->axis(QCPAxis::atBottom);
    auto* y = rect->axis(QCPAxis::atLeft);
    x->setRange(-kShownMinutes, 0);
    x->setTickLabels(row + 1 == charts.size());
    if (row + 1 == charts.size()) x->setLabel(tr("minutes before now"));
    x->ticker()->setTickCount(5);
    y->ticker()->setTickCount(2);
    for (const auto& line : charts[row].lines) plot_->addGraph(x, y)->setName(line.name);
    auto* title = new QCPItemText(plot_);
    title->setText(charts[row].title);
    title->setClipAxisRect(rect);
    title->position->setAxisRect(rect);
    title->position->setType(QCPItemPosition::ptAxisRectRatio);
    title->position->setCoords(0, 0);
    title->setPositionAlignment(Qt::AlignLeft | Qt::AlignTop);
    title->setPadding(QMargins(5, 1, 0, 0));
    if (charts[row].lines.size() < 2) continue;
    auto* legend = new QCPLegend;
    rect->insetLayout()->addElement(legend, Qt::AlignLeft | Qt::AlignTop);
    rect->insetLayout()->setMargins(QMargins(5, plot_->fontMetrics().height() + 2, 4, 0));
    legend->setLayer(QStringLiteral("legend"));
    legend->setFillOrder(QCPLayoutGrid::foColumnsFirst);
    legend->setMargins(QMargins(3, 1, 3, 1));
    legend->setIconSize(14, 10);
    for (std::size_t i = 0; i < charts[row].lines.size(); ++i) {
      auto* graph = plot_->graph(plot_->graphCount() - static_cast<int>(charts[row].lines.size() - i));
      legend->addItem(new QCPPlottableLegendItem(legend, graph));
    }
  }
  applyTheme();
}

void SystemCharts::present(const std::vector<Chart>& charts) {
  QStringList titles;
  for (const auto& chart : charts) titles << signature(chart);
  if (titles != titles_) build(charts);
  double oldest = 0;
  for (const auto& chart : charts)
    for (const auto& line : chart.lines)
      if (!line.minutes.isEmpty()) oldest = std::max(oldest, -line.minutes.front());
  const double span = std::clamp(roundUp(oldest), kLeastMinutes, kShownMinutes);
  int graph = 0;
  for (std::size_t row = 0; row < charts.size(); ++row) {
    double highest = 0;
    for (const auto& line : charts[row].lines) {
      plot_->graph(graph++)->setData(line.minutes, line.values, true);
      for (const double value : line.values)
        if (std::isfinite(value)) highest = std::max(highest, value);
    }
    plot_->axisRect(static_cast<int>(row))->axis(QCPAxis::atBottom)->setRange(-span, 0);
    auto* axis = plot_->axisRect(static_cast<int>(row))->axis(QCPAxis::atLeft);
    axis->setRange(0, charts[row].top > 0 ? charts[row].top : 1.05 * roundUp(highest));
  }
  replotSoon(*plot_);
}

void SystemCharts::applyTheme() {
  const auto& colors = theme_.colors();
  dressPlot(*plot_, colors);
  for (auto* rect : plot_->axisRects()) {
    int line = 0;
    for (auto* each : rect->graphs()) {
      each->setPen(QPen(colors.series[line++ % colors.series.size()], 1.6));
    }
    for (auto* element : rect->insetLayout()->elements(false)) {
      auto* legend = qobject_cast<QCPLegend*>(element);
      if (!legend) continue;
      QColor back = colors.panel;
      back.setAlpha(210);
      legend->setBrush(back);
      legend->setBorderPen(Qt::NoPen);
      legend->setTextColor(colors.text);
      legend->setFont(plot_->font());
      for (int i = 0; i < legend->itemCount(); ++i) {
        legend->item(i)->setTextColor(colors.muted);
        legend->item(i)->setFont(plot_->font());
      }
    }
  }
  for (int i = 0; i < plot_->itemCount(); ++i) {
    if (auto* text = qobject_cast<QCPItemText*>(plot_->item(i))) {
      QFont font = plot_->font();
      font.setWeight(QFont::DemiBold);
      text->setColor(colors.text);
      text->setFont(font);
    }
  }
  replotSoon(*plot_);
}

TimeSplitBar::TimeSplitBar(const Theme& theme, QWidget* parent) : QWidget(parent), theme_(theme) {
  setAccessibleName(tr("What the time of a step goes into"));
  setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
  connect(&theme_, &Theme::changed, this, qOverload<>(&QWidget::update));
}

void TimeSplitBar::present(std::vector<Part> parts) {
  if (parts == parts_) return;
  parts_ = std::move(parts);
  QStringList words;
  for (const auto& part : parts_) words << tr("%1 %2 %").arg(part.name).arg(100 * part.share, 0, 'f', 0);
  setAccessibleDescription(words.join(QStringLiteral(", ")));
  setToolTip(words.join(QLatin1Char('\n')));
  update();
}

QSize TimeSplitBar::sizeHint() const { return {200, fontMetrics().height() + 6}; }

void TimeSplitBar::paintEvent(QPaintEvent* /*event*/) {
  QPainter painter(this);
  const auto& colors = theme_.colors();
  double left = 0;
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    const double width = parts_[i].share * this->width();
    const QRectF rect(left, 0, std::max(0.0, width - 1), height());
    painter.fillRect(rect, colors.series[static_cast<qsizetype>(i) % colors.series.size()]);
    const QString text = QStringLiteral("%1 %2 %").arg(parts_[i].name).arg(100 * parts_[i].share, 0, 'f', 0);
    if (fontMetrics().horizontalAdvance(text) + 6 < rect.width()) {
      painter.setPen(colors.is_dark ? QColor(Qt::black) : QColor(Qt::white));
      painter.drawText(rect, Qt::AlignCenter, text);
    }
    left += width;
  }
}

}  // namespace meanflow::ui
