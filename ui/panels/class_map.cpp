// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/class_map.h"

#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>
#include <algorithm>
#include <cmath>

#include "ui/theme/theme.h"

namespace meanflow::ui {
namespace {

constexpr int kMapMargin = 8;
constexpr int kBarHeight = 10;

QColor blend(const QColor& a, const QColor& b, double share) {
  const auto mix = [share](int x, int y) { return static_cast<int>(std::lround(x + share * (y - x))); };
  return {mix(a.red(), b.red()), mix(a.green(), b.green()), mix(a.blue(), b.blue())};
}

/// Black or white, whichever is read better on a colour.
QColor inkOn(const QColor& back) {
  const double light = 0.299 * back.redF() + 0.587 * back.greenF() + 0.114 * back.blueF();
  return light > 0.5 ? QColor(Qt::black) : QColor(Qt::white);
}

}  // namespace

ClassMap::ClassMap(const Theme& theme, QWidget* parent) : QWidget(parent), theme_(theme) {
  setFocusPolicy(Qt::StrongFocus);
  setMouseTracking(true);
  setAccessibleName(tr("Map of the classes"));
  setToolTip(
      tr("A cell a class, in the order of their numbers. A click, or Enter, makes images of the class; arrow keys "
         "choose another one."));
  connect(&theme_, &Theme::changed, this, qOverload<>(&QWidget::update));
}

void ClassMap::present(Kind kind, std::vector<Cell> cells, const std::vector<std::string>& names) {
  kind_ = kind;
  cells_ = std::move(cells);
  names_.clear();
  for (const auto& name : names) names_.push_back(QString::fromStdString(name));
  names_.resize(cells_.size());
  if (current_ >= numCells()) current_ = -1;
  if (found_.size() != cells_.size()) found_.clear();
  setAccessibleDescription(current_ >= 0 ? cells_[static_cast<std::size_t>(current_)].text : QString());
  update();
}

void ClassMap::setFound(std::vector<bool> found) {
  found_ = std::move(found);
  if (found_.size() != cells_.size()) found_.clear();
  update();
}

void ClassMap::setCurrent(int label) {
  label = label >= 0 && label < numCells() ? label : -1;
  if (label == current_) return;
  current_ = label;
  setAccessibleDescription(label >= 0 ? cells_[static_cast<std::size_t>(label)].text : QString());
  update();
  Q_EMIT currentChanged(label);
}

QRectF ClassMap::mapRect() const {
  const int legend = kBarHeight + fontMetrics().height() + 12;
  return QRectF(rect()).adjusted(kMapMargin, kMapMargin, -kMapMargin, -legend);
}

int ClassMap::numColumns() const {
  const auto area = mapRect();
  const int n = numCells();
  if (n == 0 || area.width() <= 0 || area.height() <= 0) return 1;
  // The number of columns whose cells are the largest squares.
  int best = 1;
  double best_side = 0;
  for (int columns = 1; columns <= n; ++columns) {
    const int rows = (n + columns - 1) / columns;
    const double side = std::min(area.width() / columns, area.height() / rows);
    if (side > best_side) best_side = side, best = columns;
  }
  return best;
}

QRectF ClassMap::cellRect(int label) const {
  const auto area = mapRect();
  const int columns = numColumns(), rows = std::max(1, (numCells() + columns - 1) / columns);
  const double width = area.width() / columns, height = area.height() / rows;
  return {area.left() + label % columns * width, area.top() + label / columns * height, width, height};
}

int ClassMap::labelAt(const QPointF& point) const {
  const auto area = mapRect();
  if (cells_.empty() || !area.contains(point)) return -1;
  const int columns = numColumns(), rows = std::max(1, (numCells() + columns - 1) / columns);
  const int column = std::min(columns - 1, static_cast<int>((point.x() - area.left()) * columns / area.width()));
  const int row = std::min(rows - 1, static_cast<int>((point.y() - area.top()) * rows / area.height()));
  const int label = row * columns + column;
  return label < numCells() ? label : -1;
}

QColor ClassMap::colourAt(double value) const {
  if (kind_ == Kind::kAccuracy) return scale_.at(value);
  // Lost is orange and won is blue: told apart by those who see red and green as one.
  const auto& colors = theme_.colors();
  const QColor middle = colors.is_dark ? QColor(0x3a4350) : QColor(0xe9ecf1);
  const QColor end = value < 0 ? QColor(0xd9541e) : QColor(0x1f6fd6);
  return blend(middle, end, std::pow(std::min(1.0, std::abs(value)), 0.75));
}

QColor ClassMap::colourOf(int label) const {
  const double value = cells_[static_cast<std::size_t>(label)].value;
  return std::isfinite(value) ? colourAt(value) : theme_.colors().plot_background;
}

void ClassMap::paintEvent(QPaintEvent* /*event*/) {
  QPainter painter(this);
  painter.fillRect(rect(), theme_.colors().plot_background);
  if (cells_.empty()) return;
  for (int label = 0; label < numCells(); ++label) paintCell(painter, label);
  if (current_ >= 0) {
    const auto cell = cellRect(current_);
    for (const auto& [colour, width] : {std::pair{QColor(0, 0, 0), 4.0}, {QColor(255, 255, 255), 1.8}}) {
      painter.setPen(QPen(colour, width));
      painter.drawRect(cell);
    }
  }
  if (hasFocus()) {
    painter.setPen(QPen(theme_.colors().accent, 1.5));
    painter.setBrush(Qt::NoBrush);
    painter.drawRect(mapRect().adjusted(-3, -3, 3, 3));
  }
  paintLegend(painter);
}

void ClassMap::paintCell(QPainter& painter, int label) const {
  const auto n = static_cast<std::size_t>(label);
  const auto& cell = cells_[n];
  const double gap = cellRect(0).width() > 10 ? 1 : 0.5;
  const auto place = cellRect(label).adjusted(gap, gap, -gap, -gap);
  const QColor colour = colourOf(label);
  painter.setOpacity(found_.empty() || found_[n] ? 1 : 0.18);
  painter.fillRect(place, colour);
  if (!std::isfinite(cell.value)) painter.fillRect(place, QBrush(theme_.colors().idle, Qt::BDiagPattern));
  if (cell.is_notable && place.width() > 5) {
    painter.setPen(QPen(theme_.colors().text, place.width() > 14 ? 2 : 1));
    painter.setBrush(Qt::NoBrush);
    painter.drawRect(place.adjusted(1, 1, -1, -1));
  }
  const int line_height = fontMetrics().height();
  if (place.width() > 58 && place.height() > 2.2 * line_height) {
    painter.setPen(std::isfinite(cell.value) ? inkOn(colour) : theme_.colors().text);
    const QString value =
        !std::isfinite(cell.value) ? QStringLiteral("–")
        : kind_ == Kind::kAccuracy
            ? tr("%1 %").arg(100 * cell.value, 0, 'f', 0)
            : tr("%1%2 %").arg(cell.value > 0 ? QStringLiteral("+") : QString()).arg(100 * cell.value, 0, 'f', 0);
    const auto inner = place.adjusted(4, 2, -4, -2);
    painter.drawText(inner, Qt::AlignCenter,
                     fontMetrics().elidedText(names_[n], Qt::ElideRight, static_cast<int>(inner.width())) +
                         QLatin1Char('\n') + value);
  }
  painter.setOpacity(1);
}

void ClassMap::paintLegend(QPainter& painter) const {
  const auto& colors = theme_.colors();
  const int line_height = fontMetrics().height();
  const double width = std::min(260.0, mapRect().width());
  const QRectF bar(mapRect().left(), mapRect().bottom() + 7, width, kBarHeight);
  const double low = kind_ == Kind::kAccuracy ? 0 : -1;
  for (int x = 0; x < static_cast<int>(bar.width()); ++x)
    painter.fillRect(QRectF(bar.left() + x, bar.top(), 1, bar.height()),
                     colourAt(low + (1 - low) * x / (bar.width() - 1)));
  painter.setPen(colors.plot_axis);
  const QStringList ends = kind_ == Kind::kAccuracy ? QStringList{tr("0 %"), tr("50 %"), tr("100 %")}
                                                    : QStringList{tr("lost"), tr("same"), tr("won")};
  const Qt::Alignment sides[] = {Qt::AlignLeft, Qt::AlignHCenter, Qt::AlignRight};
  for (int i = 0; i < 3; ++i)
    painter.drawText(QRectF(bar.left(), bar.bottom() + 1, bar.width(), line_height), sides[i], ends[i]);
  if (std::none_of(cells_.begin(), cells_.end(), [](const Cell& cell) { return !std::isfinite(cell.value); })) return;
  const QRectF swatch(bar.right() + 16, bar.top(), kBarHeight, kBarHeight);
  painter.fillRect(swatch, QBrush(colors.idle, Qt::BDiagPattern));
  painter.setPen(colors.border);
  painter.drawRect(swatch);
  painter.setPen(colors.plot_axis);
  painter.drawText(QPointF(swatch.right() + 5, swatch.bottom()), tr("no figure"));
}

void ClassMap::mousePressEvent(QMouseEvent* event) {
  const int label = event->button() == Qt::LeftButton ? labelAt(event->position()) : -1;
  if (label < 0) return QWidget::mousePressEvent(event);
  setCurrent(label);
  Q_EMIT chosen(label);
}

void ClassMap::mouseMoveEvent(QMouseEvent* event) {
  const int label = labelAt(event->position());
  Q_EMIT hovered(label >= 0 ? cells_[static_cast<std::size_t>(label)].text : QString());
}

void ClassMap::leaveEvent(QEvent* event) {
  Q_EMIT hovered({});
  QWidget::leaveEvent(event);
}

void ClassMap::keyPressEvent(QKeyEvent* event) {
  if (cells_.empty()) return QWidget::keyPressEvent(event);
  const int from = std::max(0, current_), columns = numColumns();
  int to = from;
  switch (event->key()) {
    case Qt::Key_Left:
      to = from - 1;
      break;
    case Qt::Key_Right:
      to = current_ < 0 ? 0 : from + 1;
      break;
    case Qt::Key_Up:
      to = from - columns;
      break;
    case Qt::Key_Down:
      to = current_ < 0 ? 0 : from + columns;
      break;
    case Qt::Key_Home:
      to = 0;
      break;
    case Qt::Key_End:
      to = numCells() - 1;
      break;
    case Qt::Key_Return:
    case Qt::Key_Enter:
      if (current_ >= 0) Q_EMIT chosen(current_);
      return;
    default:
      return QWidget::keyPressEvent(event);
  }
  if (to >= 0 && to < numCells()) setCurrent(to);
}

}  // namespace meanflow::ui
