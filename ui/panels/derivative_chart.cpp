// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/derivative_chart.h"

#include <QVBoxLayout>
#include <algorithm>
#include <cmath>
#include <limits>

#include "ui/models/derivative_words.h"
#include "ui/panels/plot_look.h"

namespace meanflow::ui {
namespace {

void fillLine(QCPGraph& graph, const std::vector<float>& x, const std::vector<float>& y) {
  QVector<double> keys, values;
  for (std::size_t i = 0; i < std::min(x.size(), y.size()); ++i) {
    keys << static_cast<double>(x[i]);
    values << (y[i] > 0 && std::isfinite(y[i]) ? static_cast<double>(y[i]) : std::numeric_limits<double>::quiet_NaN());
  }
  graph.setData(keys, values, true);
}

DerivativeChart::Line lineOf(const QCPGraph& graph) {
  DerivativeChart::Line line;
  for (const auto& point : *graph.data()) line.x << point.key, line.y << point.value;
  return line;
}

}  // namespace

DerivativeChart::DerivativeChart(const Theme& theme, QWidget* parent)
    : QWidget(parent), theme_(theme), plot_(new QCustomPlot(this)) {
  plot_->setAccessibleName(tr("Error of the finite difference over its step"));
  plot_->setFocusPolicy(Qt::NoFocus);
  plot_->setAutoAddPlottableToLegend(false);
  plot_->setMinimumSize(220, 110);
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->addWidget(plot_);
  auto* rect = plot_->axisRect();
  rect->setMinimumMargins(QMargins(8, 22, 14, 4));
  makeLogarithmic(*plot_->xAxis);
  makeLogarithmic(*plot_->yAxis);
  plot_->xAxis->setLabel(tr("step of the finite difference, δt"));
  plot_->yAxis->setLabel(tr("relative error of du/dt"));
  errors_fp64_ = plot_->addGraph();
  errors_ = plot_->addGraph();
  rounding_ = new QCPItemRect(plot_);
  rounding_->setClipAxisRect(rect);
  rounding_->setLayer(QStringLiteral("background"));
  for (auto* corner : {rounding_->topLeft, rounding_->bottomRight}) {
    corner->setTypeX(QCPItemPosition::ptPlotCoords);
    corner->setTypeY(QCPItemPosition::ptAxisRectRatio);
  }
  in_use_ = verticalLine(*plot_, *rect);
  suggestion_ = verticalLine(*plot_, *rect);
  const auto textAt = [&](QCPItemPosition::PositionType type_x, double y, Qt::Alignment alignment) {
    auto* text = new QCPItemText(plot_);
    text->setClipToAxisRect(false);
    text->position->setTypeX(type_x);
    text->position->setTypeY(QCPItemPosition::ptAxisRectRatio);
    text->position->setCoords(0, y);
    text->setPositionAlignment(alignment);
    text->setPadding(QMargins(4, 1, 4, 1));
    return text;
  };
  rounding_text_ = textAt(QCPItemPosition::ptPlotCoords, 1, Qt::AlignRight | Qt::AlignBottom);
  rounding_text_->setText(tr("rounding"));
  truncation_text_ = textAt(QCPItemPosition::ptPlotCoords, 1, Qt::AlignLeft | Qt::AlignBottom);
  truncation_text_->setText(tr("truncation"));
  in_use_text_ = textAt(QCPItemPosition::ptPlotCoords, 0, Qt::AlignHCenter | Qt::AlignBottom);
  suggestion_text_ = textAt(QCPItemPosition::ptPlotCoords, 0, Qt::AlignHCenter | Qt::AlignBottom);
  connect(&theme_, &Theme::changed, this, &DerivativeChart::applyTheme);
  applyTheme();
}

void DerivativeChart::present(const base::DerivativeHealthReady& report) {
  fillLine(*errors_, report.deltas, report.errors);
  fillLine(*errors_fp64_, report.deltas, report.errors_fp64);
  double low = std::numeric_limits<double>::infinity(), high = 0, left = low, right = 0;
  for (const auto* graph : {errors_, errors_fp64_}) {
    for (const auto& point : *graph->data()) {
      if (std::isfinite(point.value)) low = std::min(low, point.value), high = std::max(high, point.value);
      left = std::min(left, point.key), right = std::max(right, point.key);
    }
  }
  for (const double delta : {report.delta_t, report.suggested_delta_t})
    if (delta > 0) left = std::min(left, delta), right = std::max(right, delta);
  // In float64 the error falls far below what matters: two decades below the smallest one in use is enough.
  double least = high;
  for (const double error : errors().y)
    if (std::isfinite(error)) least = std::min(least, error);
  if (high > 0) plot_->yAxis->setRange(std::max(low, least * 1e-2) / 1.6, high * 1.6);
  if (right > 0) plot_->xAxis->setRange(left / 1.3, right * 1.3);
  // The names stand on the sides that face away from each other.
  const bool is_left = report.delta_t < report.suggested_delta_t;
  const auto mark = [](QCPItemStraightLine& line, QCPItemText& text, double delta, const QString& words,
                       bool is_at_left) {
    placeVertical(line, delta > 0 ? std::optional(delta) : std::nullopt);
    text.setVisible(delta > 0);
    text.position->setCoords(delta > 0 ? delta : 1, 0);
    text.setPositionAlignment((is_at_left ? Qt::AlignRight : Qt::AlignLeft) | Qt::AlignBottom);
    text.setText(words);
  };
  const bool is_same = std::abs(report.delta_t - report.suggested_delta_t) < 1e-5 * report.delta_t;
  mark(*in_use_, *in_use_text_, report.delta_t, is_same ? tr("in use, the best") : tr("in use"), is_left);
  mark(*suggestion_, *suggestion_text_, is_same ? 0 : report.suggested_delta_t, tr("suggested"), !is_left);
  // Left of the smallest error the float64 curve lies below: what is added there is rounding.
  rounding_->setVisible(report.suggested_delta_t > 0);
  rounding_text_->setVisible(report.suggested_delta_t > 0);
  truncation_text_->setVisible(report.suggested_delta_t > 0);
  if (report.suggested_delta_t > 0) {
    rounding_->topLeft->setCoords(plot_->xAxis->range().lower, 0);
    rounding_->bottomRight->setCoords(report.suggested_delta_t, 1);
    for (auto* text : {rounding_text_, truncation_text_}) text->position->setCoords(report.suggested_delta_t, 1);
  }
  replotSoon(*plot_);
}

DerivativeChart::Line DerivativeChart::errors() const { return lineOf(*errors_); }
DerivativeChart::Line DerivativeChart::errorsFp64() const { return lineOf(*errors_fp64_); }

double DerivativeChart::markedInUse() const {
  return in_use_->visible() ? in_use_->point1->key() : std::numeric_limits<double>::quiet_NaN();
}

double DerivativeChart::markedSuggestion() const {
  return suggestion_->visible() ? suggestion_->point1->key() : std::numeric_limits<double>::quiet_NaN();
}

double DerivativeChart::endOfRounding() const {
  return rounding_->visible() ? rounding_->bottomRight->key() : std::numeric_limits<double>::quiet_NaN();
}

void DerivativeChart::applyTheme() {
  const auto& colors = theme_.colors();
  dressPlot(*plot_, colors);
  errors_->setPen(QPen(colors.series[0], 2));
  errors_->setScatterStyle(QCPScatterStyle(QCPScatterStyle::ssDisc, colors.series[0], 6));
  errors_fp64_->setPen(QPen(colors.muted, 1.4, Qt::DashLine));
  errors_fp64_->setScatterStyle(QCPScatterStyle(QCPScatterStyle::ssCircle, colors.muted, 4));
  QColor shade = colors.warning;
  shade.setAlpha(colors.is_dark ? 26 : 28);
  rounding_->setPen(Qt::NoPen);
  rounding_->setBrush(shade);
  in_use_->setPen(QPen(colors.accent, 1.6));
  suggestion_->setPen(QPen(colors.good, 1.6, Qt::DashLine));
  in_use_text_->setColor(colors.accent);
  suggestion_text_->setColor(colors.good);
  for (auto* text : {rounding_text_, truncation_text_}) text->setColor(colors.muted);
  replotSoon(*plot_);
}

}  // namespace meanflow::ui
