// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/curve_charts.h"

#include <QMouseEvent>
#include <QToolTip>
#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "ui/panels/plot_look.h"
#include "ui/theme/format.h"
#include "ui/theme/theme.h"

namespace meanflow::ui {
namespace {

/// In the order they are drawn: what went wrong covers the rest.
constexpr Milestone::Kind kMarkKinds[] = {Milestone::Kind::kCheckpoint, Milestone::Kind::kSettingChanged,
                                          Milestone::Kind::kResumed,    Milestone::Kind::kBranched,
                                          Milestone::Kind::kWarning,    Milestone::Kind::kSkipped,
                                          Milestone::Kind::kAlarm,      Milestone::Kind::kFailed};
constexpr double kMarksAt = 0.03;  // of the height, from below

QCPScatterStyle::ScatterShape shapeOf(Milestone::Kind kind) {
  switch (kind) {
    case Milestone::Kind::kSettingChanged:
      return QCPScatterStyle::ssDiamond;
    case Milestone::Kind::kResumed:
      return QCPScatterStyle::ssSquare;
    case Milestone::Kind::kBranched:
      return QCPScatterStyle::ssPlusSquare;
    case Milestone::Kind::kWarning:
      return QCPScatterStyle::ssTriangleInverted;
    case Milestone::Kind::kSkipped:
      return QCPScatterStyle::ssCrossCircle;
    case Milestone::Kind::kAlarm:
    case Milestone::Kind::kFailed:
      return QCPScatterStyle::ssCross;
    default:
      return QCPScatterStyle::ssTriangle;
  }
}

QColor inkOf(Milestone::Kind kind, const ThemeColors& colors) {
  switch (kind) {
    case Milestone::Kind::kSettingChanged:
    case Milestone::Kind::kBranched:
      return colors.accent;
    case Milestone::Kind::kResumed:
    case Milestone::Kind::kWarning:
      return colors.warning;
    case Milestone::Kind::kSkipped:
    case Milestone::Kind::kAlarm:
    case Milestone::Kind::kFailed:
      return colors.bad;
    default:
      return colors.muted;
  }
}

}  // namespace

CurveCharts::CurveCharts(const Theme& theme, QObject* parent) : QObject(parent), theme_(theme), plot_(new QCustomPlot) {
  plot_->setAccessibleName(tr("Curves of the run; wheel zooms, dragging pans, double click shows all"));
  plot_->setToolTip(
      tr("Wheel zooms, dragging pans, double click shows all, a click moves the step cursor. Below the curves: "
         "triangles are checkpoints, diamonds changed settings, squares resumes, a square with a plus the fork of a "
         "branch, triangles upside down warnings, crossed circles skipped steps, crosses alarms and failures; stars "
         "on the curves are spikes."));
  plot_->setFocusPolicy(Qt::StrongFocus);
  plot_->setInteractions(QCP::iRangeDrag | QCP::iRangeZoom);
  plot_->setNoAntialiasingOnDrag(true);
  plot_->setPlottingHint(QCP::phFastPolylines, true);
  plot_->setAutoAddPlottableToLegend(false);
  plot_->plotLayout()->clear();
  plot_->plotLayout()->setRowSpacing(2);
  plot_->setMinimumSize(220, 120);
  connect(plot_, &QCustomPlot::mouseMove, this, &CurveCharts::onMouseMove);
  connect(plot_, &QCustomPlot::mousePress, this, [this](QMouseEvent* event) { pressed_at_ = event->pos(); });
  connect(plot_, &QCustomPlot::mouseRelease, this, [this](QMouseEvent* event) {
    if (event->button() != Qt::LeftButton || charts_.empty()) return;
    if ((event->pos() - pressed_at_).manhattanLength() > 3) return;
    Q_EMIT clicked(xAxis(charts_.front())->pixelToCoord(event->position().x()));
  });
  connect(plot_, &QCustomPlot::mouseDoubleClick, this, [this] {
    pressed_at_ = QPoint(-1000, -1000);  // the release that follows is no click
    Q_EMIT doubleClicked();
  });
  connect(plot_, &QCustomPlot::afterLayout, this, &CurveCharts::fitLegend);
  connect(plot_, &QCustomPlot::afterLayout, this, &CurveCharts::spaceTicks);
  connect(&theme_, &Theme::changed, this, &CurveCharts::applyTheme);
}

void CurveCharts::spaceTicks() {
  bool is_other = false;
  for (auto& chart : charts_) {
    constexpr double kHalfAMark = 6;  // pixels
    chart.marks_y->setRange(0, std::min(1.0, kMarksAt * chart.rect->height() / kHalfAMark));
    auto* axis = chart.rect->axis(QCPAxis::atLeft);
    auto* ticker = dynamic_cast<RoomyTicker*>(axis->ticker().data());
    if (!ticker) continue;
    // A raised exponent makes a label taller than its line.
    const double label = 1.15 * QFontMetricsF(axis->tickLabelFont()).height();
    is_other = ticker->setShare(label / std::max(1, chart.rect->height())) || is_other;
  }
  if (is_other) replot();  // ticks were chosen before the layout was known
}

QCPAxis* CurveCharts::xAxis(const Chart& chart) const { return chart.rect->axis(QCPAxis::atBottom); }

void CurveCharts::build(const Setup& setup) {
  if (setup == setup_ && !charts_.empty()) return;
  setup_ = setup;
  is_setting_range_ = true;  // axes change their ranges by themselves when their scale changes
  charts_.clear();
  boundaries_.clear();
  spikes_.clear();
  plot_->clearItems();
  plot_->clearPlottables();
  plot_->plotLayout()->clear();
  for (int row = 0; row < setup_.scalars.size(); ++row) addChart(row, setup_.scalars[row]);
  auto* margins = new QCPMarginGroup(plot_);
  for (auto& chart : charts_) chart.rect->setMarginGroup(QCP::msLeft | QCP::msRight, margins);
  is_setting_range_ = false;
  applyTheme();
}

void CurveCharts::addChart(int row, const QString& scalar) {
  Chart chart;
  chart.rect = new QCPAxisRect(plot_);
  plot_->plotLayout()->addElement(row, 0, chart.rect);
  plot_->plotLayout()->setRowStretchFactor(row, row == 0 ? 1.8 : 1.0);
  chart.rect->setMinimumMargins(QMargins(8, 4, 12, 4));
  chart.rect->setRangeDrag(Qt::Horizontal);
  chart.rect->setRangeZoom(Qt::Horizontal);
  auto* x = xAxis(chart);
  auto* y = chart.rect->axis(QCPAxis::atLeft);
  chart.marks_y = chart.rect->addAxis(QCPAxis::atRight);
  chart.marks_y->setRange(0, 1);
  chart.marks_y->setVisible(false);
  const bool is_lowest = row + 1 == setup_.scalars.size();
  x->setTickLabels(is_lowest);
  if (is_lowest) x->setLabel(setup_.x_label);
  connect(x, qOverload<const QCPRange&>(&QCPAxis::rangeChanged), this, [this](const QCPRange& range) {
    if (!is_setting_range_) Q_EMIT rangeChanged(range.lower, range.upper);
  });
  for (std::size_t i = 0; i < setup_.lines.size(); ++i) {
    Curve curve;
    curve.low = plot_->addGraph(x, y);
    curve.high = plot_->addGraph(x, y);
    curve.high->setChannelFillGraph(curve.low);
    curve.line = plot_->addGraph(x, y);
    curve.line->setName(setup_.lines[i].name);
    chart.curves.push_back(curve);
  }
  addMarks(chart, x, chart.marks_y);
  chart.spikes = plot_->addGraph(x, y);
  chart.spikes->setLineStyle(QCPGraph::lsNone);
  if (row == 0 && setup_.has_legend) addLegend(chart);
  auto* title = new QCPItemText(plot_);
  title->setObjectName(QStringLiteral("title"));
  title->setText(scalarTitle(scalar.toStdString()));
  title->setClipAxisRect(chart.rect);
  title->position->setAxisRect(chart.rect);
  title->position->setType(QCPItemPosition::ptAxisRectRatio);
  title->position->setCoords(1, 0);
  title->setPositionAlignment(Qt::AlignRight | Qt::AlignTop);
  title->setPadding(QMargins(0, 2, 6, 0));
  chart.cursor = verticalLine(*plot_, *chart.rect);
  chart.hover = verticalLine(*plot_, *chart.rect);
  applyScales(chart);
  charts_.push_back(chart);
}

void CurveCharts::addMarks(Chart& chart, QCPAxis* x, QCPAxis* y) {
  for ([[maybe_unused]] const auto kind : kMarkKinds) {
    auto* marks = plot_->addGraph(x, y);
    marks->setLineStyle(QCPGraph::lsNone);
    chart.marks.push_back(marks);
  }
}

void CurveCharts::addLegend(Chart& chart) {
  chart.legend = new QCPLegend;
  chart.rect->insetLayout()->addElement(chart.legend, Qt::AlignRight | Qt::AlignTop);
  chart.rect->insetLayout()->setMargins(QMargins(8, 22, 8, 8));
  chart.legend->setLayer(QStringLiteral("legend"));
  chart.legend->setMargins(QMargins(6, 3, 6, 3));
  chart.legend->setRowSpacing(0);
  for (const auto& curve : chart.curves) chart.legend->addItem(new QCPPlottableLegendItem(chart.legend, curve.line));
}

void CurveCharts::fitLegend() {
  for (auto& chart : charts_) {
    if (!chart.legend) continue;
    const auto& legend = *chart.legend;
    auto* inset = chart.rect->insetLayout();
    const int room = chart.rect->width() - inset->margins().left() - inset->margins().right() -
                     legend.margins().left() - legend.margins().right() - legend.iconSize().width() -
                     legend.iconTextPadding();
    bool is_other = false;
    for (std::size_t i = 0; i < chart.curves.size(); ++i) {
      // As it is measured when it is drawn, rounding included.
      const QFontMetrics metrics(legend.item(static_cast<int>(i))->font());
      const QString text = metrics.elidedText(setup_.lines[i].name, Qt::ElideMiddle, std::max(0, room - 2));
      is_other = is_other || text != chart.curves[i].line->name();
      chart.curves[i].line->setName(text);
    }
    if (is_other) inset->update(QCPLayoutElement::upLayout);  // laid out before with the names of another width
  }
}

QStringList CurveCharts::legendTexts() const {
  QStringList texts;
  for (const auto& chart : charts_)
    if (chart.legend)
      for (const auto& curve : chart.curves) texts << curve.line->name();
  return texts;
}

QPointF CurveCharts::legendPlace(int line) const {
  for (const auto& chart : charts_)
    if (chart.legend) return QRectF(chart.legend->item(line)->rect()).center();
  return {};
}

QString CurveCharts::legendTipAt(const QPointF& place) const {
  for (const auto& chart : charts_) {
    if (!chart.legend) continue;
    for (std::size_t i = 0; i < chart.curves.size(); ++i) {
      if (chart.legend->item(static_cast<int>(i))->rect().contains(place.toPoint())) return setup_.lines[i].name;
    }
  }
  return {};
}

void CurveCharts::applyScales(Chart& chart) {
  auto* x = xAxis(chart);
  auto* y = chart.rect->axis(QCPAxis::atLeft);
  if (setup_.is_time) {
    const QSharedPointer<QCPAxisTickerTime> ticker(new QCPAxisTickerTime);
    ticker->setTimeFormat(QStringLiteral("%h:%m:%s"));
    ticker->setFieldWidth(QCPAxisTickerTime::tuHours, 1);
    x->setTicker(ticker);
  }
  x->setScaleType(setup_.is_log_x ? QCPAxis::stLogarithmic : QCPAxis::stLinear);
  if (setup_.is_log_x && !setup_.is_time) makeLogarithmic(*x);
  x->setNumberFormat(setup_.is_log_x ? QStringLiteral("gb") : QStringLiteral("g"));
  x->setNumberPrecision(setup_.is_log_x ? 1 : 9);
  if (setup_.is_log_y) {
    makeLogarithmic(*y);
  } else {
    y->setScaleType(QCPAxis::stLinear);
    y->setTicker(QSharedPointer<RoomyTicker>::create());
  }
  y->setNumberFormat(QStringLiteral("gb"));
  y->setNumberPrecision(setup_.is_log_y ? 1 : 4);
}

void CurveCharts::setBoundaries(const std::vector<Boundary>& boundaries) {
  if (boundaries == boundaries_) return;
  boundaries_ = boundaries;
  for (int i = plot_->itemCount() - 1; i >= 0; --i) {
    if (plot_->item(i)->objectName() == QLatin1String("boundary")) plot_->removeItem(i);
  }
  for (auto& chart : charts_) {
    for (const auto& each : boundaries) {
      auto* line = verticalLine(*plot_, *chart.rect);
      line->setObjectName(QStringLiteral("boundary"));
      placeVertical(*line, each.x > 0 ? std::optional(each.x) : std::nullopt);
      if (&chart != &charts_.front()) continue;
      auto* name = new QCPItemText(plot_);
      name->setObjectName(QStringLiteral("boundary"));
      name->setText(each.name);
      name->setClipAxisRect(chart.rect);
      name->position->setAxisRect(chart.rect);
      name->position->setAxes(xAxis(chart), chart.rect->axis(QCPAxis::atLeft));
      name->position->setTypeX(QCPItemPosition::ptPlotCoords);
      name->position->setTypeY(QCPItemPosition::ptAxisRectRatio);
      name->position->setCoords(each.x, 0);
      name->setPositionAlignment(Qt::AlignLeft | Qt::AlignTop);
      name->setPadding(QMargins(4, 2, 0, 0));
    }
  }
  applyTheme();
}

void CurveCharts::setMarks(const std::vector<Mark>& marks) {
  marks_ = marks;
  for (auto& chart : charts_) {
    for (std::size_t k = 0; k < std::size(kMarkKinds); ++k) {
      QVector<double> x, y;
      for (const auto& mark : marks) {
        if (mark.kind == kMarkKinds[k]) x << mark.x, y << kMarksAt;
      }
      chart.marks[k]->setData(x, y);
    }
  }
}

void CurveCharts::setSpikes(const std::vector<Spike>& spikes) {
  spikes_ = spikes;
  for (std::size_t c = 0; c < charts_.size(); ++c) {
    QVector<double> x, y;
    for (const auto& spike : spikes_) {
      if (spike.chart == static_cast<int>(c)) x << spike.x, y << spike.y;
    }
    charts_[c].spikes->setData(x, y);
  }
}

const CurveCharts::Spike* CurveCharts::spikeAt(const QPointF& place) const {
  constexpr double kNear = 9;  // pixels
  const Spike* nearest = nullptr;
  double least = kNear * kNear;
  for (const auto& spike : spikes_) {
    const auto& rect = *charts_.at(static_cast<std::size_t>(spike.chart)).rect;
    if (!rect.rect().contains(place.toPoint())) continue;
    const QPointF away(rect.axis(QCPAxis::atBottom)->coordToPixel(spike.x) - place.x(),
                       rect.axis(QCPAxis::atLeft)->coordToPixel(spike.y) - place.y());
    const double distance = QPointF::dotProduct(away, away);
    if (distance > least) continue;
    least = distance;
    nearest = &spike;
  }
  return nearest;
}

QString CurveCharts::tipAt(const QPointF& place) const {
  if (const QString name = legendTipAt(place); !name.isEmpty()) return name;  // the legend covers what is below it
  if (const auto* spike = spikeAt(place)) return spike->tip;
  constexpr double kNear = 7;  // pixels
  QStringList tips;
  for (const auto& chart : charts_) {
    const bool is_here = chart.rect->rect().contains(place.toPoint());
    if (!is_here || std::abs(chart.marks_y->coordToPixel(kMarksAt) - place.y()) > kNear) continue;
    for (const auto& mark : marks_)
      if (!mark.tip.isEmpty() && std::abs(xAxis(chart)->coordToPixel(mark.x) - place.x()) <= kNear) tips << mark.tip;
  }
  constexpr qsizetype kMost = 5;
  if (tips.size() > kMost) tips = tips.mid(tips.size() - kMost);
  return tips.join(QLatin1Char('\n'));
}

void CurveCharts::setSamples(int chart, int line, const std::vector<Sample>& samples) {
  const auto& curve = charts_[static_cast<std::size_t>(chart)].curves[static_cast<std::size_t>(line)];
  QVector<QCPGraphData> values, lows, highs;
  values.reserve(static_cast<qsizetype>(samples.size()));
  lows.reserve(values.capacity());
  highs.reserve(values.capacity());
  for (const auto& sample : samples) {
    values.append({sample.x, sample.value});
    lows.append({sample.x, sample.low});
    highs.append({sample.x, sample.high});
  }
  curve.line->data()->set(values, true);
  curve.low->data()->set(lows, true);
  curve.high->data()->set(highs, true);
}

void CurveCharts::fitY() {
  for (auto& chart : charts_) {
    const auto range = xAxis(chart)->range();
    const double floor = setup_.is_log_y ? 1e-300 : -std::numeric_limits<double>::infinity();
    double low = std::numeric_limits<double>::infinity();
    double high = -low;
    for (const auto& curve : chart.curves) {
      for (const auto& point : *curve.low->data()) {
        if (point.key < range.lower || point.key > range.upper) continue;
        if (std::isfinite(point.value) && point.value > floor) low = std::min(low, point.value);
      }
      for (const auto& point : *curve.high->data()) {
        if (point.key < range.lower || point.key > range.upper) continue;
        if (std::isfinite(point.value) && point.value > floor) high = std::max(high, point.value);
      }
    }
    if (low > high) continue;
    auto* axis = chart.rect->axis(QCPAxis::atLeft);
    if (setup_.is_log_y) {
      axis->setRange(low / 1.15, high * 1.15);
      continue;
    }
    const double pad = high > low ? 0.06 * (high - low) : std::max(std::abs(high) * 0.1, 1e-12);
    axis->setRange(low - pad, high + pad);
    // A nearly constant curve, such as an adaptively weighted loss, needs more digits for its ticks to differ.
    const double size = std::max(std::abs(low - pad), std::abs(high + pad));
    const double span = high - low + 2 * pad;
    const int digits = span > 0 && size > 0 ? static_cast<int>(std::ceil(std::log10(size / span))) + 2 : 4;
    axis->setNumberPrecision(std::clamp(digits, 4, 10));
  }
}

CurveCharts::Range CurveCharts::range() const {
  if (charts_.empty()) return {};
  const auto range = xAxis(charts_.front())->range();
  return {range.lower, range.upper};
}

void CurveCharts::setRange(const Range& range) {
  is_setting_range_ = true;
  for (auto& chart : charts_) xAxis(chart)->setRange(range.lower, range.upper);
  is_setting_range_ = false;
}

void CurveCharts::setCursor(std::optional<double> x) {
  for (auto& chart : charts_) placeVertical(*chart.cursor, x);
}

void CurveCharts::onMouseMove(QMouseEvent* event) {
  if (charts_.empty()) return;
  const double x = xAxis(charts_.front())->pixelToCoord(event->position().x());
  for (auto& chart : charts_) placeVertical(*chart.hover, x);
  if (const QString tip = tipAt(event->position()); !tip.isEmpty())
    QToolTip::showText(event->globalPosition().toPoint(), tip, plot_);
  else if (QToolTip::isVisible())
    QToolTip::hideText();
  Q_EMIT hovered(x);
  replot();
}

void CurveCharts::replot() { replotSoon(*plot_); }

void CurveCharts::applyTheme() {
  const auto& colors = theme_.colors();
  const QFont font = plot_->font();
  dressPlot(*plot_, colors);
  for (auto& chart : charts_) {
    for (auto* axis : chart.rect->axes()) axis->setSelectableParts(QCPAxis::spNone);
    chart.rect->setBackground(colors.plot_background);
    for (std::size_t i = 0; i < chart.curves.size(); ++i) {
      const auto& curve = chart.curves[i];
      const auto& look = setup_.lines[i];
      const QColor color = colors.series[look.colour % colors.series.size()];
      QColor pale = color;
      pale.setAlpha(colors.is_dark ? 70 : 55);
      curve.line->setPen(QPen(color, 1.6, look.is_dashed ? Qt::DashLine : Qt::SolidLine));
      curve.low->setPen(QPen(pale, 1));
      curve.high->setPen(QPen(pale, 1));
      curve.high->setBrush(pale);
    }
    for (std::size_t k = 0; k < chart.marks.size(); ++k) {
      const auto kind = kMarkKinds[k];
      const QColor ink = inkOf(kind, colors);
      const int size = kind == Milestone::Kind::kCheckpoint ? 6 : 8;
      const bool is_hollow = kind == Milestone::Kind::kSkipped || kind == Milestone::Kind::kBranched;
      chart.marks[k]->setScatterStyle(
          QCPScatterStyle(shapeOf(kind), QPen(ink, 1.4), is_hollow ? QBrush(Qt::NoBrush) : QBrush(ink), size));
    }
    chart.spikes->setScatterStyle(
        QCPScatterStyle(QCPScatterStyle::ssStar, QPen(colors.bad, 1.5), QBrush(Qt::NoBrush), 9));
    if (chart.legend) {
      QColor back = colors.panel;
      back.setAlpha(220);
      chart.legend->setBrush(back);
      chart.legend->setBorderPen(QPen(colors.border));
      chart.legend->setTextColor(colors.text);
      chart.legend->setFont(font);
      for (int i = 0; i < chart.legend->itemCount(); ++i) {
        chart.legend->item(i)->setTextColor(colors.text);
        chart.legend->item(i)->setFont(font);
      }
    }
    chart.cursor->setPen(QPen(colors.accent, 1.2));
    chart.hover->setPen(QPen(colors.muted, 1, Qt::DotLine));
  }
  for (int i = 0; i < plot_->itemCount(); ++i) {
    auto* item = plot_->item(i);
    if (auto* line = qobject_cast<QCPItemStraightLine*>(item);
        line && line->objectName() == QLatin1String("boundary")) {
      line->setPen(QPen(colors.border, 1, Qt::DashLine));
    } else if (auto* text = qobject_cast<QCPItemText*>(item)) {
      const bool is_title = text->objectName() == QLatin1String("title");
      QFont text_font = font;
      if (is_title) text_font.setWeight(QFont::DemiBold);
      text->setColor(is_title ? colors.text : colors.muted);
      text->setFont(text_font);
    }
  }
  replot();
}

}  // namespace meanflow::ui
