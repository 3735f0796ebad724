// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/block_map.h"

#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>
#include <algorithm>
#include <cmath>

#include "ui/theme/format.h"
#include "ui/theme/theme.h"

namespace meanflow::ui {
namespace {

constexpr int kLegendWidth = 76;  ///< Colour bar, its labels and the gap before them.
constexpr int kBarWidth = 12;
constexpr double kMostDecades = 8;  ///< What lies further below the largest value has the lowest colour.
constexpr double kLeastMark = 5;    ///< Pixels of the mark of a value that is not finite.

/// The value that stands for a cell: the largest.
double shownValue(const BlockCell& cell) { return cell.num_finite > 0 ? cell.high : 0; }

/// 1, 2 or 5 times a power of ten, so that some `count` of them fit into `length`.
double niceStep(double length, double count) {
  const double raw = std::max(1.0, length / std::max(1.0, count));
  const double unit = std::pow(10, std::floor(std::log10(raw)));
  for (const double step : {1.0, 2.0, 5.0, 10.0})
    if (step * unit >= raw * 0.999) return step * unit;
  return 10 * unit;
}

}  // namespace

QString scaleLabel(double value) {
  int exponent = static_cast<int>(std::floor(std::log10(value) + 1e-9));
  double digits = std::round(10 * value / std::pow(10, exponent)) / 10;
  if (digits >= 10) digits /= 10, ++exponent;
  if (exponent >= -3 && exponent <= 3) return QString::number(digits * std::pow(10, exponent), 'g', 4);
  if (digits > 1) return QStringLiteral("%1e%2").arg(digits).arg(exponent);
  static const QString kRaised = QStringLiteral("⁰¹²³⁴⁵⁶⁷⁸⁹");
  QString power = exponent < 0 ? QStringLiteral("10⁻") : QStringLiteral("10");
  for (const QChar digit : QString::number(std::abs(exponent))) power += kRaised[digit.digitValue()];
  return power;
}

QString blockFigureTitle(const std::string& name) {
  if (name == "grad_norm") return BlockMap::tr("Gradient norm");
  if (name == "update_norm") return BlockMap::tr("Adam update norm");
  if (name == "param_norm") return BlockMap::tr("Parameter norm");
  return QString::fromStdString(name);
}

BlockMap::BlockMap(const Theme& theme, QWidget* parent) : QWidget(parent), theme_(theme) {
  setFocusPolicy(Qt::StrongFocus);
  setMouseTracking(true);
  setAccessibleName(tr("Figures of every block over the steps"));
  setToolTip(
      tr("A click moves the step cursor there and shows the block below; Up and Down choose a block, Left and Right "
         "the report before or after."));
  connect(&theme_, &Theme::changed, this, qOverload<>(&QWidget::update));
}

void BlockMap::present(const BlockFigures* figures, std::size_t figure, const QString& figure_title) {
  figures_ = figures;
  figure_ = figure;
  title_ = figure_title;
  if (numBlocks() > 0) block_ = std::min(block_, numBlocks() - 1);
  measure();
  update();
}

void BlockMap::measure() {
  low_ = high_ = 0;
  num_not_finite_ = 0;
  label_width_ = 40;
  if (!figures_) return;
  double low = std::numeric_limits<double>::infinity(), high = 0;
  for (std::size_t c = 0; c < figures_->columns().size(); ++c) {
    for (std::size_t b = 0; b < numBlocks(); ++b) {
      const auto& cell = figures_->cell(c, figure_, b);
      num_not_finite_ += cell.num_not_finite;
      const double value = shownValue(cell);
      if (!(value > 0)) continue;
      low = std::min(low, value);
      high = std::max(high, value);
    }
  }
  if (high > 0) {
    low = std::max(low, high * std::pow(10, -kMostDecades));
    if (high < low * 1.5) high *= 1.5, low /= 1.5;  // one value alone is in the middle
    low_ = low, high_ = high;
  }
  QFont bold = font();
  bold.setBold(true);  // as the chosen block is written
  const QFontMetrics metrics(bold);
  for (const auto& block : figures_->blocks())
    label_width_ = std::max(label_width_, metrics.horizontalAdvance(QString::fromStdString(block)));
  label_width_ = std::min(label_width_ + 10, std::max(40, width() / 4));
}

void BlockMap::setCursor(std::optional<std::int64_t> step) {
  if (step == cursor_) return;
  cursor_ = step;
  if (figures_ && cursor_) setAccessibleDescription(textOf({figures_->columnAt(*cursor_), block_}));
  update();
}

void BlockMap::setBlock(std::size_t block) {
  if (numBlocks() > 0) block = std::min(block, numBlocks() - 1);
  block_ = block;
  if (figures_ && cursor_) setAccessibleDescription(textOf({figures_->columnAt(*cursor_), block_}));
  update();
}

QRect BlockMap::mapRect() const {
  const int bottom = 2 * fontMetrics().height() + 8;  // labels and what they count
  return {label_width_, 6, std::max(10, width() - label_width_ - kLegendWidth - 8),
          std::max(10, height() - bottom - 6)};
}

double BlockMap::xOf(std::int64_t step) const {
  const auto rect = mapRect();
  if (!figures_ || figures_->columns().empty()) return rect.left();
  const double begin = static_cast<double>(figures_->beginOf(0));
  const double end = static_cast<double>(figures_->columns().back().last_step);
  return rect.left() + rect.width() * (static_cast<double>(step) - begin) / std::max(1.0, end - begin);
}

QRectF BlockMap::rowRect(std::size_t block) const {
  const auto rect = mapRect();
  const double height = static_cast<double>(rect.height()) / static_cast<double>(std::max<std::size_t>(1, numBlocks()));
  return {static_cast<double>(rect.left()), rect.top() + static_cast<double>(block) * height,
          static_cast<double>(rect.width()), height};
}

double BlockMap::positionOf(double value) const { return value > 0 ? ColorScale::logPosition(value, low_, high_) : 0; }

std::optional<BlockMap::Place> BlockMap::placeAt(const QPoint& point) const {
  const auto rect = mapRect();
  if (!figures_ || figures_->columns().empty() || numBlocks() == 0 || !rect.contains(point)) return std::nullopt;
  const double begin = static_cast<double>(figures_->beginOf(0));
  const double end = static_cast<double>(figures_->columns().back().last_step);
  const double step = begin + (point.x() + 0.5 - rect.left()) / rect.width() * (end - begin);
  const auto row =
      static_cast<std::size_t>((point.y() - rect.top()) * static_cast<double>(numBlocks()) / rect.height());
  return Place{figures_->columnAt(static_cast<std::int64_t>(std::ceil(step))), std::min(row, numBlocks() - 1)};
}

QString BlockMap::textOf(const Place& place) const {
  if (!figures_ || place.column >= figures_->columns().size() || place.block >= numBlocks()) return {};
  const auto& column = figures_->columns()[place.column];
  const auto& cell = figures_->cell(place.column, figure_, place.block);
  const QString block = QString::fromStdString(figures_->blocks()[place.block]);
  const QString steps = column.num_reports > 1
                            ? tr("steps %1 to %2").arg(formatCount(column.first_step), formatCount(column.last_step))
                            : tr("step %1").arg(formatCount(column.last_step));
  QString value;
  if (cell.isEmpty())
    value = tr("not reported");
  else if (cell.num_finite == 0)
    value = tr("not finite");
  else if (cell.num_finite > 1)
    value = tr("%1, from %2 to %3").arg(formatNumber(cell.mean()), formatNumber(cell.low), formatNumber(cell.high));
  else
    value = formatNumber(cell.high);
  if (cell.num_finite > 0 && cell.num_not_finite > 0) value += tr(", and %1 not finite").arg(cell.num_not_finite);
  return tr("%1 of %2 at %3: %4").arg(title_, block, steps, value);
}

QString BlockMap::readOut(const QPoint& point) const {
  const auto place = placeAt(point);
  return place ? textOf(*place) : QString();
}

void BlockMap::paintEvent(QPaintEvent* /*event*/) {
  QPainter painter(this);
  painter.fillRect(rect(), theme_.colors().plot_background);
  if (!figures_ || figures_->columns().empty() || numBlocks() == 0) return;
  paintCells(painter);
  paintNotFinite(painter);
  paintAxes(painter);
  paintLegend(painter);
}

void BlockMap::paintCells(QPainter& painter) const {
  const auto rect = mapRect();
  const auto& columns = figures_->columns();
  painter.fillRect(rect, QBrush(theme_.colors().plot_grid, Qt::Dense6Pattern));  // what no report told of
  // A pixel column of the screen shows the largest value of all reports that fall into it.
  const double ratio = devicePixelRatioF();
  const int pixels = std::max(1, static_cast<int>(std::lround(rect.width() * ratio)));
  QImage image(pixels, static_cast<int>(numBlocks()), QImage::Format_ARGB32);
  image.fill(Qt::transparent);
  std::vector<double> shown(static_cast<std::size_t>(pixels));
  for (std::size_t b = 0; b < numBlocks(); ++b) {
    std::fill(shown.begin(), shown.end(), -1.0);
    for (std::size_t c = 0; c < columns.size(); ++c) {
      const auto& cell = figures_->cell(c, figure_, b);
      if (cell.num_finite == 0) continue;
      const double left = (xOf(figures_->beginOf(c)) - rect.left()) * ratio;
      const double right = (xOf(columns[c].last_step) - rect.left()) * ratio;
      const int first = std::clamp(static_cast<int>(std::lround(left)), 0, pixels - 1);
      const int last = std::clamp(static_cast<int>(std::lround(right)) - 1, first, pixels - 1);
      for (int x = first; x <= last; ++x)
        shown[static_cast<std::size_t>(x)] = std::max(shown[static_cast<std::size_t>(x)], shownValue(cell));
    }
    auto* line = reinterpret_cast<QRgb*>(image.scanLine(static_cast<int>(b)));
    for (int x = 0; x < pixels; ++x)
      if (shown[static_cast<std::size_t>(x)] >= 0)
        line[x] = scale_.at(positionOf(shown[static_cast<std::size_t>(x)])).rgba();
  }
  painter.setRenderHint(QPainter::SmoothPixmapTransform, false);
  painter.drawImage(rect, image);
  // A thin line between rows, where they are tall enough to have one.
  if (rect.height() < 6 * static_cast<int>(numBlocks())) return;
  painter.setPen(theme_.colors().plot_background);
  for (std::size_t b = 1; b < numBlocks(); ++b)
    painter.drawLine(QPointF(rect.left(), rowRect(b).top()), QPointF(rect.right() + 1, rowRect(b).top()));
}

void BlockMap::paintNotFinite(QPainter& painter) const {
  if (num_not_finite_ == 0) return;
  const auto rect = mapRect();
  painter.save();
  painter.setClipRect(rect.adjusted(-1, -1, 1, 1));
  for (std::size_t c = 0; c < figures_->columns().size(); ++c) {
    const double left = xOf(figures_->beginOf(c)), right = xOf(figures_->columns()[c].last_step);
    for (std::size_t b = 0; b < numBlocks(); ++b) {
      if (figures_->cell(c, figure_, b).num_not_finite == 0) continue;
      const auto row = rowRect(b);
      QRectF mark(left, row.top(), right - left, row.height());
      if (mark.width() < kLeastMark) mark.setX(right - kLeastMark), mark.setWidth(kLeastMark);
      if (mark.left() < rect.left()) mark.moveLeft(rect.left());
      painter.fillRect(mark, theme_.colors().bad);
      painter.fillRect(mark, QBrush(theme_.colors().is_dark ? Qt::black : Qt::white, Qt::DiagCrossPattern));
    }
  }
  painter.restore();
}

void BlockMap::paintAxes(QPainter& painter) const {
  const auto& colors = theme_.colors();
  const auto rect = mapRect();
  const int line_height = fontMetrics().height();
  painter.setPen(colors.plot_axis);
  const double row_height = rowRect(0).height();
  const auto every = static_cast<std::size_t>(std::max(1.0, std::ceil((line_height - 1) / row_height)));
  for (std::size_t b = 0; b < numBlocks(); ++b) {
    if (b % every != 0 && b != block_) continue;
    // The chosen block is always named; its neighbours make room.
    const bool is_near = b > block_ ? b - block_ < every : block_ - b < every;
    if (b != block_ && is_near) continue;
    const QRectF place(2, rowRect(b).center().y() - 0.5 * line_height, label_width_ - 7, line_height);
    const QString name = QString::fromStdString(figures_->blocks()[b]);
    painter.setPen(b == block_ ? colors.text : colors.plot_axis);
    QFont font = this->font();
    font.setBold(b == block_);
    painter.setFont(font);
    painter.drawText(place, Qt::AlignRight | Qt::AlignVCenter,
                     QFontMetrics(font).elidedText(name, Qt::ElideLeft, static_cast<int>(place.width())));
  }
  painter.setFont(font());
  painter.setPen(colors.plot_axis);
  const double begin = static_cast<double>(figures_->beginOf(0));
  const double end = static_cast<double>(figures_->columns().back().last_step);
  const double tick = niceStep(end - begin, rect.width() / 70.0);
  for (double step = std::ceil(begin / tick) * tick; step <= end + 0.5; step += tick) {
    const double x = xOf(std::llround(step));
    painter.drawLine(QPointF(x, rect.bottom() + 1), QPointF(x, rect.bottom() + 4));
    painter.drawText(QRectF(x - 40, rect.bottom() + 4, 80, line_height), Qt::AlignHCenter | Qt::AlignTop,
                     formatCount(std::llround(step)));
  }
  painter.setPen(colors.muted);
  painter.drawText(QRectF(rect.left(), rect.bottom() + 4 + line_height, rect.width(), line_height), Qt::AlignCenter,
                   tr("step"));
  painter.setPen(QPen(colors.border));
  painter.setBrush(Qt::NoBrush);
  painter.drawRect(rect.adjusted(-1, -1, 0, 0));
  // The chosen row and the step cursor: light on dark and dark on light, over every colour of the scale.
  const auto row = rowRect(block_).adjusted(-1, 0, 0, 0);
  for (const auto& [colour, width] : {std::pair{QColor(0, 0, 0, 160), 3.0}, {QColor(255, 255, 255), 1.2}}) {
    painter.setPen(QPen(colour, width));
    painter.drawRect(row);
    if (!cursor_) continue;
    const double x = xOf(*cursor_);
    if (x < rect.left() - 1 || x > rect.right() + 2) continue;
    painter.drawLine(QPointF(x, rect.top()), QPointF(x, rect.bottom()));
  }
  if (hasFocus()) {
    painter.setPen(QPen(colors.accent, 1.5));
    painter.drawRect(rect.adjusted(-2, -2, 1, 1));
  }
}

void BlockMap::paintLegend(QPainter& painter) const {
  const auto& colors = theme_.colors();
  const auto rect = mapRect();
  const int line_height = fontMetrics().height();
  const int left = rect.right() + 14;
  const QRect bar(left, rect.top() + line_height / 2, kBarWidth, std::max(20, rect.height() - line_height));
  painter.setPen(Qt::NoPen);
  if (high_ > 0) {
    for (int y = 0; y < bar.height(); ++y)
      painter.fillRect(QRect(bar.left(), bar.bottom() - y, bar.width(), 1),
                       scale_.at(static_cast<double>(y) / (bar.height() - 1)));
    painter.setPen(colors.plot_axis);
    // Powers of ten, and where fewer than two fit, the ends.
    std::vector<double> ticks;
    for (int e = static_cast<int>(std::ceil(std::log10(low_) - 1e-9)); std::pow(10, e) <= high_ * (1 + 1e-9); ++e)
      ticks.push_back(std::pow(10, e));
    if (ticks.size() < 2) ticks = {low_, std::sqrt(low_ * high_), high_};
    double last = 1e9;
    for (const double value : ticks) {
      const double y = bar.bottom() - positionOf(value) * (bar.height() - 1);
      if (last - y < line_height) continue;
      last = y;
      painter.drawLine(QPointF(bar.right() + 1, y), QPointF(bar.right() + 4, y));
      painter.drawText(QRectF(bar.right() + 8, y - 0.5 * line_height, width() - bar.right() - 8, line_height),
                       Qt::AlignLeft | Qt::AlignVCenter, scaleLabel(value));
    }
  }
  if (num_not_finite_ == 0) return;
  const QRectF swatch(left, rect.bottom() + 7, kBarWidth, kBarWidth);
  painter.fillRect(swatch, colors.bad);
  painter.fillRect(swatch, QBrush(colors.is_dark ? Qt::black : Qt::white, Qt::DiagCrossPattern));
  painter.setPen(colors.bad);
  painter.drawText(
      QRectF(swatch.right() + 4, swatch.center().y() - 0.5 * line_height, width() - swatch.right() - 4, line_height),
      Qt::AlignLeft | Qt::AlignVCenter, tr("not finite"));
}

void BlockMap::resizeEvent(QResizeEvent* event) {
  measure();  // names may take a part of the width
  QWidget::resizeEvent(event);
}

void BlockMap::mousePressEvent(QMouseEvent* event) {
  const auto place = event->button() == Qt::LeftButton ? placeAt(event->pos()) : std::nullopt;
  if (!place) return QWidget::mousePressEvent(event);
  setBlock(place->block);
  Q_EMIT picked(figures_->columns()[place->column].last_step, static_cast<int>(place->block));
}

void BlockMap::mouseMoveEvent(QMouseEvent* event) { Q_EMIT hovered(readOut(event->pos())); }

void BlockMap::leaveEvent(QEvent* event) {
  Q_EMIT hovered({});
  QWidget::leaveEvent(event);
}

void BlockMap::keyPressEvent(QKeyEvent* event) {
  if (!figures_ || figures_->columns().empty() || numBlocks() == 0) return QWidget::keyPressEvent(event);
  const auto& columns = figures_->columns();
  auto column = cursor_ ? figures_->columnAt(*cursor_) : columns.size() - 1;
  auto block = block_;
  switch (event->key()) {
    case Qt::Key_Up:
      block = block > 0 ? block - 1 : 0;
      break;
    case Qt::Key_Down:
      block = std::min(block + 1, numBlocks() - 1);
      break;
    case Qt::Key_Left:
      column = column > 0 ? column - 1 : 0;
      break;
    case Qt::Key_Right:
      column = std::min(column + 1, columns.size() - 1);
      break;
    case Qt::Key_Home:
      column = 0;
      break;
    case Qt::Key_End:
      column = columns.size() - 1;
      break;
    default:
      return QWidget::keyPressEvent(event);
  }
  setBlock(block);
  Q_EMIT picked(columns[column].last_step, static_cast<int>(block));
}

}  // namespace meanflow::ui
