// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/residual_charts.h"

#include <QMouseEvent>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>

#include "core/base/metrics/velocity_residuals.h"
#include "ui/models/residual_history.h"
#include "ui/panels/plot_look.h"

namespace meanflow::ui {
namespace {

constexpr double kNoResiduals = std::numeric_limits<double>::quiet_NaN();

/// On a logarithmic axis what is zero or unknown is a gap.
double drawable(double value) { return value > 0 && std::isfinite(value) ? value : kNoResiduals; }

std::array<double, ResidualCharts::kNumLines> lineValues(const base::ResidualTerms& terms, double eta) {
  const auto shares = base::sharesAt(terms, eta);
  return {drawable(shares.single_point), drawable(shares.teacher_oracle), drawable(shares.oracle_bias),
          drawable(shares.total())};
}

struct Range {
  double low = std::numeric_limits<double>::infinity(), high = 0;
  void include(double value) {
    if (!(value > 0)) return;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  /// Six decades are shown at most: what lies far below the rest would flatten it.
  QCPRange padded() const {
    if (!(high > 0)) return {0.1, 1};
    return {std::max(low, high * 1e-6) / 1.3, high * 1.3};
  }
};

}  // namespace

ResidualCharts::ResidualCharts(const Theme& theme, QWidget* parent)
    : QWidget(parent), theme_(theme), plot_(new QCustomPlot(this)) {
  plot_->setAccessibleName(tr("Residuals over training, and over t at the step cursor"));
  plot_->setToolTip(tr("Above over training, a click moves the step cursor; below over t at the cursor's step."));
  plot_->setFocusPolicy(Qt::NoFocus);
  plot_->setAutoAddPlottableToLegend(false);
  plot_->setMinimumSize(220, 80);
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->addWidget(plot_);
  connect(plot_, &QCustomPlot::mousePress, this, [this](QMouseEvent* event) {
    for (std::size_t column = 0; column < etas_.size(); ++column) {
      auto* rect = plot_->axisRect(static_cast<int>(column));
      if (!rect->rect().contains(event->pos())) continue;
      const double step = rect->axis(QCPAxis::atBottom)->pixelToCoord(event->pos().x());
      Q_EMIT stepPicked(std::llround(std::max(0.0, step)));
    }
  });
  connect(plot_, &QCustomPlot::afterLayout, this, &ResidualCharts::fitRoom);
  connect(&theme_, &Theme::changed, this, &ResidualCharts::applyTheme);
  plot_->plotLayout()->clear();
  applyTheme();
}

void ResidualCharts::build(const std::vector<double>& etas, double in_use) {
  if (etas == etas_ && in_use == in_use_) return;
  etas_ = etas;
  in_use_ = in_use;
  plot_->clearItems();
  plot_->clearPlottables();
  plot_->plotLayout()->clear();
  plot_->plotLayout()->setRowSpacing(0);
  plot_->plotLayout()->setColumnSpacing(0);
  for (int row = 0; row < 2; ++row) {
    auto* margins = new QCPMarginGroup(plot_);
    for (std::size_t column = 0; column < etas_.size(); ++column) {
      auto* rect = new QCPAxisRect(plot_);
      plot_->plotLayout()->addElement(row, static_cast<int>(column), rect);
      rect->setMinimumMargins(QMargins(column == 0 ? 6 : 14, row == 0 ? 20 : 6, 8, 4));
      rect->setMarginGroup(QCP::msTop | QCP::msBottom, margins);
      auto* x = rect->axis(QCPAxis::atBottom);
      auto* y = rect->axis(QCPAxis::atLeft);
      makeLogarithmic(*y);
      y->setTickLabels(column == 0);
      if (column == 0) y->setLabel(row == 0 ? tr("share of E|ρ|²") : tr("by t"));
      x->ticker()->setTickCount(3);
      for (int i = 0; i < kNumLines; ++i) {
        auto* graph = plot_->addGraph(x, y);
        if (row == 1) graph->setScatterStyle(QCPScatterStyle(QCPScatterStyle::ssDisc, 4));
      }
      if (row == 1) {
        x->setRange(0, 1);
        continue;
      }
      titleOver(*plot_, *rect)
          ->setText(etas_[column] == in_use_ ? tr("%1, in use").arg(etaText(etas_[column])) : etaText(etas_[column]));
      verticalLine(*plot_, *rect);
    }
  }
  applyTheme();
  setCursor(cursor_);
}

void ResidualCharts::fitRoom() {
  constexpr int kHighEnoughForNames = 290, kWideEnoughForThreeTicks = 110;  // pixels
  const int n = static_cast<int>(etas_.size());
  if (n == 0 || plot_->axisRectCount() < 2 * n) return;
  const auto margins = [&](int column) {
    const auto sides = plot_->axisRect(column)->margins();
    return sides.left() + sides.right();
  };
  double inside = plot_->plotLayout()->rect().width();
  for (int column = 0; column < n; ++column) inside -= margins(column);
  inside = std::max(10.0, inside / n);
  bool is_other = false;
  for (int column = 0; column < n; ++column) {
    const double wanted = inside + margins(column);
    if (std::abs(plot_->plotLayout()->columnStretchFactors().at(column) - wanted) < 0.5) continue;
    plot_->plotLayout()->setColumnStretchFactor(column, wanted);
    is_other = true;
  }
  for (int i = 0; i < 2 * n; ++i) {
    auto* x = plot_->axisRect(i)->axis(QCPAxis::atBottom);
    const QString name = plot_->height() < kHighEnoughForNames ? QString() : i < n ? tr("step") : tr("t (1 = noise)");
    const int ticks = inside < kWideEnoughForThreeTicks ? 2 : 3;
    is_other = is_other || x->label() != name || x->ticker()->tickCount() != ticks;
    x->setLabel(name);
    x->ticker()->setTickCount(ticks);
  }
  if (is_other) replotSoon(*plot_);
}

void ResidualCharts::clear() {
  etas_.clear();
  in_use_ = -1;
  plot_->clearItems();
  plot_->clearPlottables();
  plot_->plotLayout()->clear();
}

void ResidualCharts::present(const std::vector<base::VelocityResidualsReady>& reports,
                             const base::VelocityResidualsReady& shown) {
  std::vector<double> etas = {0, 1};
  if (shown.eta != 0 && shown.eta != 1)
    etas.insert(shown.eta < 0 ? etas.begin() : shown.eta < 1 ? etas.begin() + 1 : etas.end(), shown.eta);
  build(etas, shown.eta);
  Range over_steps, over_t;
  for (std::size_t column = 0; column < etas_.size(); ++column) {
    std::array<Line, kNumLines> steps, bins;
    for (const auto& report : reports) {
      const auto values = lineValues(report.overall, etas_[column]);
      for (std::size_t i = 0; i < kNumLines; ++i) {
        steps[i].x << static_cast<double>(report.step);
        steps[i].y << values[i];
        over_steps.include(values[i]);
      }
    }
    const auto num_bins = shown.t_edges.empty() ? 0 : std::min(shown.by_t.size(), shown.t_edges.size() - 1);
    for (std::size_t b = 0; b < num_bins; ++b) {
      const auto values = lineValues(shown.by_t[b], etas_[column]);
      const double middle = 0.5 * (static_cast<double>(shown.t_edges[b]) + static_cast<double>(shown.t_edges[b + 1]));
      for (std::size_t i = 0; i < kNumLines; ++i) {
        bins[i].x << middle;
        bins[i].y << values[i];
        over_t.include(values[i]);
      }
    }
    for (int i = 0; i < kNumLines; ++i) {
      const int n = static_cast<int>(etas_.size());
      const int first = (static_cast<int>(column)) * kNumLines + i;
      plot_->graph(first)->setData(steps[static_cast<std::size_t>(i)].x, steps[static_cast<std::size_t>(i)].y, true);
      plot_->graph(n * kNumLines + first)
          ->setData(bins[static_cast<std::size_t>(i)].x, bins[static_cast<std::size_t>(i)].y, true);
      // A single report is a point.
      plot_->graph(first)->setScatterStyle(reports.size() < 2 ? QCPScatterStyle(QCPScatterStyle::ssDisc, 5)
                                                              : QCPScatterStyle());
    }
  }
  for (std::size_t column = 0; column < etas_.size(); ++column) {
    auto* above = plot_->axisRect(static_cast<int>(column));
    auto* below = plot_->axisRect(static_cast<int>(column + etas_.size()));
    above->axis(QCPAxis::atLeft)->setRange(over_steps.padded());
    below->axis(QCPAxis::atLeft)->setRange(over_t.padded());
    if (!reports.empty()) {
      const auto first = static_cast<double>(reports.front().step), last = static_cast<double>(reports.back().step);
      above->axis(QCPAxis::atBottom)->setRange(first == last ? first - 1 : first, first == last ? last + 1 : last);
    }
  }
  replotSoon(*plot_);
}

ResidualCharts::Line ResidualCharts::line(int row, std::size_t column, int which) const {
  Line line;
  const auto* graph =
      plot_->graph((row * static_cast<int>(etas_.size()) + static_cast<int>(column)) * kNumLines + which);
  for (const auto& point : *graph->data()) {
    line.x << point.key;
    line.y << point.value;
  }
  return line;
}

void ResidualCharts::setCursor(std::optional<std::int64_t> step) {
  cursor_ = step;
  for (int i = 0; i < plot_->itemCount(); ++i) {
    if (auto* line = qobject_cast<QCPItemStraightLine*>(plot_->item(i)))
      placeVertical(*line, step ? std::optional(static_cast<double>(*step)) : std::nullopt);
  }
  replotSoon(*plot_);
}

void ResidualCharts::applyTheme() {
  const auto& colors = theme_.colors();
  dressPlot(*plot_, colors);
  for (int i = 0; i < plot_->graphCount(); ++i) {
    const int which = i % kNumLines;
    plot_->graph(i)->setPen(which == kNumLines - 1 ? QPen(colors.muted, 1.2, Qt::DashLine)
                                                   : QPen(colors.series[which], 1.8));
  }
  for (int i = 0; i < plot_->itemCount(); ++i)
    if (auto* line = qobject_cast<QCPItemStraightLine*>(plot_->item(i))) line->setPen(QPen(colors.accent, 1.2));
  replotSoon(*plot_);
}

}  // namespace meanflow::ui
